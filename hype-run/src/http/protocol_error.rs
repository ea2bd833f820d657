//! The error of a server or a connection that violates HTTP, as a worker reports it to its guest.

use std::fmt;

/// The text of an error of hyper, which another process has reported. hyper's own type can't be created.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has workers"))]
pub(crate) struct ProtocolError(pub(crate) String);

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProtocolError {}
