//! The one way to ask a Docker daemon: again while it is away, for a while.

use std::time::{Duration, Instant};

use bollard::errors::Error as DockerError;
use hype_stage::Outage;

use super::daemon::status;

/// How often a daemon that is away is asked.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a volume may be used by a container that is being removed.
const USED: Duration = Duration::from_secs(4);

/// How long a daemon may take to begin an answer, at the most.
const ANSWER: Duration = Duration::from_secs(120);

/// For how long a daemon is asked, and what is told of it meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    longest: Duration,
    outage: Outage,
}

impl Patience {
    /// For the daemon at `address`, which may be away for as long as `longest`.
    pub(crate) fn new(address: &str, longest: Duration) -> Self {
        Self { longest, outage: Outage::of(&format!("the Docker daemon at {address}")) }
    }

    /// What `ask` gives, asked again while the daemon is away, for as long as it may be. All that is asked so may be
    /// done twice.
    pub(crate) async fn persist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        self.persist_while(is_away, || self.outage.watch(ask())).await
    }

    /// The same for what changes nothing: a daemon that breaks down over it is asked again, too.
    pub(crate) async fn read<T, F>(&self, ask: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let is_passing = |error: &DockerError| is_away(error) || status(error) == Some(500);
        self.persist_while(is_passing, || self.outage.watch(ask())).await
    }

    /// Retries a removal while the daemon is away, and for some seconds while something still uses what is to be
    /// removed: a container that is being removed holds its volumes until it is gone.
    pub(crate) async fn persist_while_used<T, F>(
        &self,
        remove: impl Fn() -> F,
    ) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let begun = Instant::now();
        let is_passing = |error: &DockerError| {
            let is_used = status(error) == Some(409) && begun.elapsed() < USED;
            is_away(error) || is_used
        };
        self.persist_while(is_passing, || self.outage.watch(remove())).await
    }

    /// The same as [`persist`](Self::persist) for what takes long by itself, so that silence says nothing of the daemon.
    pub(crate) async fn persist_long<T, F>(&self, ask: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        self.persist_while(is_away, ask).await
    }

    /// What `ask` gives, asked again while its error `is_passing`, for as long as a daemon may be away.
    pub(crate) async fn persist_while<T, E, F>(
        &self,
        is_passing: impl Fn(&E) -> bool,
        ask: impl Fn() -> F,
    ) -> Result<T, E>
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let started = Instant::now();
        loop {
            let began = Instant::now();
            let answer = ask().await;
            let error = match &answer {
                Err(error) if is_passing(error) => error,
                _ => {
                    self.outage.answered();
                    return answer;
                }
            };
            self.outage.failed(began, error);
            if started.elapsed() >= self.longest {
                return answer;
            }
            // Nobody tells when a daemon is back.
            self.outage.watch(tokio::time::sleep(PAUSE)).await;
        }
    }
}

/// How long a daemon that may be away for as long as `longest` may take to begin an answer.
pub(crate) fn answer(longest: Duration) -> Duration {
    longest.saturating_mul(4).clamp(Duration::from_secs(1), ANSWER)
}

/// Whether there was no answer, or one that says that there will be one later.
fn is_away(error: &DockerError) -> bool {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => {
            matches!(status_code, 429 | 502..=504)
        }
        DockerError::RequestTimeoutError
        | DockerError::IOError { .. }
        | DockerError::HyperResponseError { .. }
        | DockerError::HyperLegacyError { .. }
        | DockerError::SocketNotFoundError(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn answer(status_code: u16) -> DockerError {
        DockerError::DockerResponseServerError { status_code, message: "no".into() }
    }

    #[tokio::test]
    async fn a_daemon_that_is_away_is_asked_again_and_one_that_refuses_is_not() {
        for (error, tries) in [(503, 3), (500, 1), (404, 1), (409, 1)] {
            let asked = AtomicU32::new(0);
            let patience = Patience::new("a test", Duration::from_secs(60));
            let answered = patience.persist(|| {
                let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
                std::future::ready(if number < 3 { Err(answer(error)) } else { Ok(()) })
            });
            assert_eq!(answered.await.is_ok(), tries == 3, "{error}");
            assert_eq!(asked.load(Ordering::Relaxed), tries, "{error}");
        }
    }

    #[tokio::test]
    async fn reading_is_repeated_when_the_daemon_breaks_down_over_it() {
        let asked = AtomicU32::new(0);
        let patience = Patience::new("a third test", Duration::from_secs(60));
        let answered = patience.read(|| {
            let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
            std::future::ready(if number < 3 { Err(answer(500)) } else { Ok(()) })
        });
        answered.await.unwrap();
    }

    #[tokio::test]
    async fn no_daemon_is_asked_for_ever() {
        let patience = Patience::new("another test", Duration::ZERO);
        let error = || std::future::ready(Err::<(), _>(DockerError::RequestTimeoutError));
        patience.persist(error).await.unwrap_err();
    }
}
