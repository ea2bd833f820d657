//! Paths in a guest at which files and directories are mounted.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::shorten::shorten;

/// System directories, below which nothing can be mounted.
const RESERVED: [&str; 4] =
    ["/proc", "/sys", "/dev", "/var/run/secrets/kubernetes.io/serviceaccount"];

/// The maximum number of quoted bytes of an invalid path.
const MAX_QUOTED: usize = 512;

/// A mount path in a guest: absolute, without `.`, `..`, doubled or trailing slashes, and outside the system's
/// directories.
///
/// ```
/// use hype_wire::GuestPath;
///
/// let path: GuestPath = "/data/input".parse()?;
/// assert_eq!(&*path, "/data/input");
/// let error = "/data/../etc".parse::<GuestPath>().unwrap_err();
/// assert!(error.to_string().contains("is not normalized"));
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuestPath(String);

impl GuestPath {
    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// # Errors
///
/// Returns an error that quotes the path and names the problem.
impl TryFrom<String> for GuestPath {
    type Error = WireError;

    fn try_from(path: String) -> Result<Self, WireError> {
        match problem(&path) {
            None => Ok(Self(path)),
            Some(problem) => {
                let quoted = shorten(path, MAX_QUOTED);
                Err(WireError::new(format!("the guest path `{quoted}` {problem}")))
            }
        }
    }
}

impl FromStr for GuestPath {
    type Err = WireError;

    fn from_str(path: &str) -> Result<Self, WireError> {
        path.to_owned().try_into()
    }
}

impl From<GuestPath> for String {
    fn from(path: GuestPath) -> Self {
        path.0
    }
}

impl Deref for GuestPath {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Returns the reason for which `path` can't be a mount path in a guest.
fn problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("is not absolute; it must start with `/`")
    } else if path == "/" {
        Some("is the root itself; name a directory below it")
    } else if path.contains('\0') {
        Some("contains a zero byte")
    } else if path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("is not normalized; write it without `.`, `..`, doubled or trailing slashes")
    } else if RESERVED.iter().any(|reserved| is_below(path, reserved)) {
        Some("belongs to the system")
    } else {
        None
    }
}

/// Returns whether `path` is `directory` or lies below it.
pub fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_guest_paths_are_valid() {
        for path in ["/data", "/etc/gcloud", "/usr/share/volume", "/processes", "/a b/ü"] {
            assert_eq!(path.parse::<GuestPath>().unwrap().as_str(), path);
        }
    }

    #[test]
    fn invalid_guest_path_names_the_problem() {
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
            let error = path.parse::<GuestPath>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{path}`")) && error.contains(problem), "{error}");
            let bytes = crate::object::to_vec(path).unwrap();
            assert!(crate::object::from_slice::<GuestPath>(&bytes).is_err(), "{path} was decoded");
        }
    }
}
