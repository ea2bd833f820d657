//! The limit of open files of this process.

/// Raises the soft limit of open files to the hard limit, as the JVM and Go do. Two guests could use
/// up the usual limit of 1024, and leave no descriptor to read the stage with.
pub(crate) fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!("cannot raise the limit of {current:?} open files: {error}");
        }
    }
}
