//! Trying again what failed for a passing reason.
//!
//! The clients of the providers try a request again when the answer says so (5xx, 429, 408), and
//! mostly when the connection breaks. They don't where a request that broke off may have been
//! carried out, nor where the body of an answer broke off. All that a stage does may be done twice,
//! so here the rest is tried again, within the same time.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use object_store::Error;

/// The pause after the first failure; each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// For how long something is tried again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Persistence(Duration);

impl Persistence {
    /// Unless it is said.
    pub(crate) const DEFAULT: Duration = Duration::from_secs(3 * 60);

    pub(crate) fn new(time: Duration) -> Self {
        Self(time)
    }

    /// The result of `request`, made again while it fails for a passing reason and there is time.
    pub(crate) async fn of<T, F: Future<Output = Result<T, Error>>>(
        self,
        mut request: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let mut tries = self.begin();
        loop {
            match request().await {
                Err(error) if tries.again(&error).await => {}
                end => return end,
            }
        }
    }

    /// Begins to try something.
    pub(crate) fn begin(self) -> Tries {
        Tries { started: Instant::now(), time: self.0, failures: 0 }
    }
}

impl Default for Persistence {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// How often and for how long something has been tried.
#[derive(Debug)]
pub(crate) struct Tries {
    started: Instant,
    time: Duration,
    failures: u32,
}

impl Tries {
    /// Whether to try again after this error. If so, it has waited for the right time.
    pub(crate) async fn again(&mut self, error: &Error) -> bool {
        if !is_passing(error) || self.started.elapsed() >= self.time {
            return false;
        }
        tokio::time::sleep(pause(self.failures, random())).await;
        self.failures += 1;
        true
    }
}

/// Between a half and all of what doubles with each failure; `random` is any number.
fn pause(failures: u32, random: u64) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
    let part = (random % 1000) as u32;
    longest / 2 + longest / 2 * part / 1000
}

fn random() -> u64 {
    // Each `RandomState` has keys of its own, made of the system's random numbers.
    RandomState::new().hash_one(0)
}

/// Whether the same request may succeed later.
fn is_passing(error: &Error) -> bool {
    if !matches!(error, Error::Generic { .. }) {
        return false;
    }
    let mut causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    causes.any(is_broken_connection)
}

fn is_broken_connection(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, UnexpectedEof,
    };
    #[cfg(feature = "cloud")]
    if let Some(error) = cause.downcast_ref::<object_store::client::HttpError>() {
        return !is_untrusted(error);
    }
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
        let passing =
            [BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, UnexpectedEof];
        passing.contains(&error.kind())
    })
}

/// Whether the server at the other end isn't the one that it should be. rustls' error is wrapped in types of hyper and
/// reqwest that give only its text.
#[cfg(feature = "cloud")]
fn is_untrusted(error: &object_store::client::HttpError) -> bool {
    let causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    causes.into_iter().any(|cause| cause.to_string().contains("invalid peer certificate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(kind: std::io::ErrorKind) -> Error {
        Error::Generic { store: "test", source: Box::new(std::io::Error::from(kind)) }
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!(pause(0, 0), Duration::from_millis(50));
        assert_eq!(pause(3, 0), Duration::from_millis(400));
        assert_eq!(pause(3, 500), Duration::from_millis(600));
        assert!(pause(40, 999) < LONGEST_PAUSE);
    }

    #[tokio::test]
    async fn what_passes_is_tried_again() {
        let mut tries = 0;
        let persistence = Persistence::new(Duration::from_secs(60));
        let request = || {
            tries += 1;
            let failed = failing(std::io::ErrorKind::ConnectionReset);
            std::future::ready(if tries < 4 { Err(failed) } else { Ok(tries) })
        };
        assert_eq!(persistence.of(request).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not() {
        let persistence = Persistence::new(Duration::from_secs(60));
        for error in [
            failing(std::io::ErrorKind::PermissionDenied),
            Error::NotFound { path: String::new(), source: "no".into() },
        ] {
            let (mut tries, mut error) = (0, Some(error));
            let request = || {
                tries += 1;
                std::future::ready(Err::<(), _>(error.take().unwrap()))
            };
            persistence.of(request).await.unwrap_err();
            assert_eq!(tries, 1);
        }
    }

    #[tokio::test]
    async fn nothing_is_tried_for_ever() {
        let mut tries = 0;
        let persistence = Persistence::new(Duration::from_millis(60));
        let request = || {
            tries += 1;
            std::future::ready(Err::<(), _>(failing(std::io::ErrorKind::TimedOut)))
        };
        persistence.of(request).await.unwrap_err();
        assert!(tries > 1);
    }
}
