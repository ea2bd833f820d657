//! The one way to ask a Docker daemon: again while it is away, for a while.

use std::time::{Duration, Instant};

use bollard::errors::Error as DockerError;
use hype_stage::Outage;

/// How often a daemon that is away is asked.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

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
        let started = Instant::now();
        loop {
            let began = Instant::now();
            let answer = self.outage.watch(ask()).await;
            match &answer {
                Err(error) if is_away(error) => self.outage.failed(began, error),
                _ => self.outage.answered(),
            }
            let is_away = answer.as_ref().err().is_some_and(is_away);
            if !is_away || started.elapsed() >= self.longest {
                return answer;
            }
            // Nobody tells when a daemon is back.
            self.outage.watch(tokio::time::sleep(PAUSE)).await;
        }
    }
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
    async fn no_daemon_is_asked_for_ever() {
        let patience = Patience::new("another test", Duration::ZERO);
        let error = || std::future::ready(Err::<(), _>(DockerError::RequestTimeoutError));
        patience.persist(error).await.unwrap_err();
    }
}
