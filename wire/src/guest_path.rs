//! Which paths of a guest can hold something of ours.

/// Paths below which nothing is ever put, because they mean something to the system.
const RESERVED: [&str; 4] =
    ["/proc", "/sys", "/dev", "/var/run/secrets/kubernetes.io/serviceaccount"];

/// Makes sure that `path` can be a place in a guest: absolute, without `.`, `..`, doubled or
/// trailing slashes, and outside the system's own places.
///
/// # Errors
///
/// A sentence that quotes the path and says what is wrong with it.
pub fn check_guest_path(path: &str) -> Result<(), String> {
    let problem = if !path.starts_with('/') {
        "is not absolute; it must start with `/`"
    } else if path == "/" {
        "is the root itself; name a directory below it"
    } else if path.contains('\0') {
        "has a zero byte in it"
    } else if path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        "is not normalized; write it without `.`, `..`, doubled or trailing slashes"
    } else if RESERVED.iter().any(|reserved| is_below(path, reserved)) {
        "belongs to the system"
    } else {
        return Ok(());
    };
    Err(format!("the guest path `{path}` {problem}"))
}

/// Whether `path` is `directory` or lies below it.
pub fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_pass() {
        for path in ["/data", "/etc/gcloud", "/usr/share/volume", "/processes", "/a b/ü"] {
            assert_eq!(check_guest_path(path), Ok(()));
        }
    }

    #[test]
    fn others_are_quoted_with_their_problem() {
        for (path, problem) in [
            ("", "not absolute"),
            ("data", "not absolute"),
            ("/", "root"),
            ("/data/", "normalized"),
            ("/data//x", "normalized"),
            ("/data/../etc", "normalized"),
            ("/./data", "normalized"),
            ("/da\0ta", "zero byte"),
            ("/proc", "system"),
            ("/proc/self", "system"),
            ("/sys/kernel", "system"),
            ("/dev/shm", "system"),
            ("/var/run/secrets/kubernetes.io/serviceaccount", "system"),
        ] {
            let error = check_guest_path(path).unwrap_err();
            assert!(error.contains(&format!("`{path}`")) && error.contains(problem), "{error}");
        }
    }
}
