//! The one way to ask an API server: again while it is away, for a while.

use std::time::{Duration, Instant};

use hype_stage::Outage;
use kube::Error as KubeError;

use super::refusal::{Trouble, chain};

/// How long to wait before a server that is away is asked again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long a server may take for an answer.
const ANSWER: Duration = Duration::from_secs(60);

/// For how long a refusal may pass: a server that has just restarted knows for some seconds nobody's rights.
const RIGHTS: Duration = Duration::from_secs(5);

/// For how long a server is asked, and what is told of it meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    longest: Duration,
    /// For how long one is asked that refuses.
    rights: Duration,
    outage: Outage,
}

impl Patience {
    /// For the API server at `address`, which may be away for as long as `longest`.
    pub(crate) fn new(address: &str, longest: Duration) -> Self {
        Self::of(&format!("the API server at {address}"), longest)
    }

    /// The same for what is called `server`.
    pub(crate) fn of(server: &str, longest: Duration) -> Self {
        Self { longest, rights: RIGHTS.min(longest), outage: Outage::of(server) }
    }

    /// The same, and not longer than this.
    pub(crate) fn at_most(&self, longest: Duration) -> Self {
        let (longest, rights) = (self.longest.min(longest), self.rights.min(longest));
        Self { longest, rights, outage: self.outage.clone() }
    }

    /// The same for what does as well without: a refusal is taken at its word.
    pub(crate) fn of_optional(&self) -> Self {
        Self { rights: Duration::ZERO, ..self.clone() }
    }

    /// What `ask` gives, asked again while the server is away, for as long as it may be, and for some seconds while it
    /// refuses.
    pub(crate) async fn persist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, KubeError>
    where
        F: Future<Output = Result<T, KubeError>>,
    {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let answer = self.once(ask()).await;
            let longest = match answer.as_ref().err().map(Trouble::of) {
                Some(Trouble::Away) => self.longest,
                Some(Trouble::Forbidden) => self.rights,
                _ => return answer,
            };
            if started.elapsed() >= longest {
                return answer;
            }
            // Nobody tells when a server is back.
            self.outage.watch(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The answer to a request that is made once; an error if there is none for too long.
    pub(crate) async fn once<T>(
        &self,
        request: impl Future<Output = Result<T, KubeError>>,
    ) -> Result<T, KubeError> {
        let (began, longest) = (Instant::now(), ANSWER.min(self.longest));
        let answer = tokio::time::timeout(longest, self.outage.watch(request)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(KubeError::Service(format!("there was no answer for {longest:?}").into()))
        });
        match &answer {
            Err(error) if Trouble::of(error) == Trouble::Away => {
                self.outage.failed(began, &chain(error));
            }
            _ => self.outage.answered(),
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use kube::core::Status;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// How often a server is asked that refuses `refusals` times, and whether it answers in the end.
    async fn asked(patience: &Patience, refusals: u32) -> (u32, bool) {
        let asked = AtomicU32::new(0);
        let answer = patience.persist(|| {
            let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
            let status = Status { code: 403, message: "forbidden".into(), ..Default::default() };
            let refusal = || KubeError::Api(Box::new(status));
            std::future::ready(if number <= refusals { Err(refusal()) } else { Ok(()) })
        });
        let is_answered = answer.await.is_ok();
        (asked.load(Ordering::Relaxed), is_answered)
    }

    #[tokio::test]
    async fn refusal_passes_for_seconds() {
        let patience = Patience::of("a server that refuses", LONG);
        assert_eq!(asked(&patience, 2).await, (3, true));
        assert_eq!(asked(&patience.of_optional(), 2).await, (1, false));
    }

    #[tokio::test]
    async fn refusal_that_lasts_is_told_after_seconds() {
        let patience = Patience::of("another that refuses", LONG);
        let short = Patience { rights: Duration::from_millis(150), ..patience };
        assert_eq!(asked(&short, 1000).await, (3, false));
        assert!(RIGHTS <= Duration::from_secs(5));
    }
}
