//! The state of the fork server, and the decision to start it again, without I/O.

use std::io;
use std::time::{Duration, Instant};

/// The time after which a first start that failed is repeated. It doubles with each failure.
const FIRST_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(300);

/// The state of a fork server, which `S` is the connection to.
#[derive(Debug)]
pub(super) enum ServerState<S> {
    New,
    Running(S),
    /// The fork server has ended. Each request tries to start another one.
    Ended,
    /// The first start has failed because of the state of the machine.
    Delayed(Delay),
    /// This program can't have workers, for this reason.
    Unavailable(String),
}

/// The time until the fork server is started again.
#[derive(Debug)]
pub(super) struct Delay {
    pub(super) reason: String,
    pub(super) length: Duration,
    until: Instant,
}

impl<S> ServerState<S> {
    /// Returns whether a fork server is to be started.
    pub(super) fn needs_start(&self, now: Instant) -> bool {
        match self {
            Self::New | Self::Ended => true,
            Self::Delayed(delay) => now >= delay.until,
            Self::Running(_) | Self::Unavailable(_) => false,
        }
    }

    /// Returns the state after a start that failed with `error`.
    pub(super) fn after_failure(&self, error: &io::Error, now: Instant) -> Self {
        let reason = error.to_string();
        let length = match self {
            Self::Ended => return Self::Ended,
            _ if is_permanent(error) => return Self::Unavailable(reason),
            Self::Delayed(delay) => MAX_DELAY.min(2 * delay.length),
            _ => FIRST_DELAY,
        };
        Self::Delayed(Delay { reason, length, until: now + length })
    }
}

/// Returns whether a start that ended with `error` would fail again: the program or the system doesn't allow workers.
/// Other errors, such as too few descriptors or a timeout, come from the present load of the machine.
fn is_permanent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, Unsupported};
    matches!(error.kind(), Unsupported | NotFound | PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_that_failed_for_a_moment_is_repeated_later() {
        let busy = io::Error::from_raw_os_error(libc::EMFILE);
        let mut now = Instant::now();
        let mut state = ServerState::<()>::New;
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            assert!(state.needs_start(now));
            state = state.after_failure(&busy, now);
            now += Duration::from_secs(seconds - 1);
            assert!(!state.needs_start(now), "{state:?}");
            now += Duration::from_secs(1);
        }
        let never = io::Error::new(io::ErrorKind::Unsupported, "it is process 1");
        assert!(matches!(state.after_failure(&never, now), ServerState::Unavailable(_)));
        let ended = ServerState::<()>::Ended;
        assert!(matches!(ended.after_failure(&never, now), ServerState::Ended));
    }
}
