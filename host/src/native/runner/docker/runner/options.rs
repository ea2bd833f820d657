//! The options of a runner.

use std::path::PathBuf;
use std::time::Duration;

use super::DockerRunner;
use crate::error::{Error, Result};

impl DockerRunner {
    /// Sets the directory of secrets: the files of the secret `gcp-key` are in its subdirectory `gcp-key`. The default
    /// is `hype/secrets` in the user's configuration directory, on Linux `~/.config`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::DockerRunner;
    /// let runner = DockerRunner::at("unix:///var/run/docker.sock")?.with_secrets("/etc/hype/secrets")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_secrets(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.secrets.set_directory(directory.into()))
    }

    /// Sets the size of `/tmp` in containers, in bytes. It holds the closure's temporary files and the staged files,
    /// and counts as memory. The default is 4 GiB.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::DockerRunner;
    /// let runner = DockerRunner::at("unix:///var/run/docker.sock")?.with_tmp(16 << 30)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_tmp(self, bytes: u64) -> Result<Self> {
        self.change(|inner| inner.tmp = bytes)
    }

    /// Sets how long requests are retried while the daemon is unreachable, for example during a restart. After this
    /// timeout, the run is lost. The default is 30 s.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use std::time::Duration;
    /// # use hype::DockerRunner;
    /// let runner = DockerRunner::at("unix:///var/run/docker.sock")?;
    /// let runner = runner.with_reconnect_timeout(Duration::from_secs(300))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_reconnect_timeout(self, reconnect_timeout: Duration) -> Result<Self> {
        self.change(|inner| {
            inner.reconnect_timeout = reconnect_timeout;
            inner.daemon.set_reconnect_timeout(reconnect_timeout);
        })
    }

    /// Sets the container runtime, as the daemon's configuration names it: `runsc` is gVisor, which puts another sandbox
    /// around `hype-run` and the commands that a closure starts. The default is the daemon's own.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if it can't be a runtime's name, or if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// # use hype::DockerRunner;
    /// let runner = DockerRunner::at("unix:///var/run/docker.sock")?.with_runtime("runsc")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_runtime(self, runtime: impl Into<String>) -> Result<Self> {
        let runtime = runtime.into();
        if !is_runtime(&runtime) {
            return Err(Error::input(format!(
                "`{}` is not the name of a container runtime",
                runtime.escape_debug()
            ))
            .hint("docker info lists the runtimes of the daemon"));
        }
        self.change(|inner| inner.runtime = Some(runtime))
    }

    /// Sets the store of the keys of runs, so that a test doesn't write to the user's.
    #[cfg(test)]
    pub(in super::super) fn with_keys(self, keys: crate::run::key_store::KeyStore) -> Result<Self> {
        self.change(|inner| inner.keys = keys)
    }
}

/// Returns whether `name` can name a runtime, such as `runsc` or `io.containerd.runsc.v1`.
fn is_runtime(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=128).contains(&name.len())
        && name.chars().all(is_fine)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_is_validated() {
        let runner = || DockerRunner::at("unix:///d").unwrap();
        for runtime in ["runsc", "io.containerd.runsc.v1", "kata-runtime"] {
            assert_eq!(runner().with_runtime(runtime).unwrap().0.runtime.as_deref(), Some(runtime));
        }
        for runtime in ["", "-x", "../runc", "/bin/sh", "a b", "a\n"] {
            let error = runner().with_runtime(runtime).unwrap_err();
            assert!(error.report().contains("docker info"), "{error:?}");
        }
    }
}
