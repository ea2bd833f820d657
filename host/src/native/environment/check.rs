//! Checks of an environment before a run.

use hype_wire::{GuestPath, Payload, WireError, is_below};

use crate::environment::RunEnvironment;
use crate::error::{Error, Result};

impl RunEnvironment {
    /// Checks the environment's variables, grants and guest paths, as far as that doesn't depend on the runner.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them is invalid, or when two paths overlap.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in self.env() {
            if name.is_empty() {
                return Err(Error::input("an environment variable has an empty name"));
            }
            if name.contains(['=', '\0']) || value.contains('\0') {
                return Err(Error::input(format!(
                    "`{name}` cannot be an environment variable: its name must not hold `=`, and \
                     neither it nor its value a zero byte"
                )));
            }
        }
        if let Some(bytes) = self.max_value().filter(|bytes| *bytes > Payload::MAX_SIZE) {
            let most = Payload::MAX_SIZE;
            return Err(Error::input(format!(
                "the maximum size of a value is {bytes} bytes, and none can have more than {most}"
            ))
            .hint("write large data to a volume, and return its path"));
        }
        self.powers().to_wire()?;
        self.check_paths()
    }

    fn check_paths(&self) -> Result<()> {
        let mounts = self.mounts().iter().map(|mount| mount.path.as_str());
        let others = self.secrets().keys().chain(self.dirs().keys()).map(String::as_str);
        let directories: Vec<&str> = mounts.chain(others).collect();
        let files: Vec<&str> = self.files().keys().map(String::as_str).collect();
        for path in directories.iter().chain(&files) {
            guest_path(path)?;
        }
        for (index, directory) in directories.iter().enumerate() {
            let others = directories[index + 1..].iter().chain(&["/tmp"]).chain(&files);
            check_apart(directory, others)?;
        }
        for (index, file) in files.iter().enumerate() {
            if overlap(file, "/tmp") {
                return Err(Error::input(format!(
                    "the file `{file}` is in /tmp, which is the closure's own: choose another path"
                )));
            }
            check_apart(file, files[index + 1..].iter())?;
        }
        Ok(())
    }
}

/// Parses a path in the guest.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if nothing can be mounted there.
pub(crate) fn guest_path(path: &str) -> Result<GuestPath> {
    path.parse().map_err(|error: WireError| Error::input(error.to_string()))
}

fn check_apart<'a>(path: &str, mut others: impl Iterator<Item = &'a &'a str>) -> Result<()> {
    match others.find(|other| overlap(path, other)) {
        None => Ok(()),
        Some(other) => Err(Error::input(format!(
            "the guest paths `{path}` and `{other}` overlap: change one of them"
        ))),
    }
}

fn overlap(one: &str, other: &str) -> bool {
    is_below(one, other) || is_below(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::mount::HostDirectory;

    #[test]
    fn check_rejects_and_names_bad_variables_and_paths() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new;
        for (env, expected) in [
            (env().with_env("A=B", "1"), "`A=B`"),
            (env().with_mount(here.mount_read_only("data")), "`data`"),
            (env().with_file("x", "/data/../x"), "`/data/../x`"),
            (env().with_file("x", "/tmp/x"), "`/tmp/x`"),
            (
                env()
                    .with_mount(here.mount_read_only("/a"))
                    .with_mount(here.mount_read_write("/a/b")),
                "`/a` and `/a/b`",
            ),
            (
                env().with_mount(here.mount_read_only("/a")).with_file("x", "/a/x"),
                "`/a` and `/a/x`",
            ),
            (env().with_mount(here.mount_read_only("/tmp")), "`/tmp` and `/tmp`"),
            (env().with_file("x", "/a").with_file("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "data"), "`data`"),
            (env().with_max_value(u64::MAX), "the maximum size of a value"),
            (env().with_dir("x", "/tmp/x"), "`/tmp/x` and `/tmp`"),
            (env().with_dir("x", "/a").with_dir("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "/a").with_file("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "/a/b").with_file("y", "/a"), "`/a/b` and `/a`"),
            (env().with_dir("x", "/a/b").with_mount(here.mount_read_only("/a")), "`/a` and `/a/b`"),
        ] {
            let error = env.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let secret = env().with_mount(here.mount_read_only("/a")).with_secret("key", "/a/b");
        assert!(secret.check().unwrap_err().to_string().contains("`/a` and `/a/b`"));
        let good = env().with_mount(here.mount_read_only("/a")).with_file("x", "/ab/x");
        let good = good.with_dir("x", "/b/dir").with_file("x", "/b/file");
        assert!(good.check().is_ok());
    }
}
