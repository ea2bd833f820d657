//! The one way to ask an API server: again while it is away, for a while.

use std::time::{Duration, Instant};

use hype_stage::Outage;
use kube::Error as KubeError;

use super::refusal::{Trouble, chain};

/// How long to wait before a server that is away is asked again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long a server may take for an answer.
const ANSWER: Duration = Duration::from_secs(60);

/// For how long a server is asked, and what is told of it meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    longest: Duration,
    outage: Outage,
}

impl Patience {
    /// For the API server at `address`, which may be away for as long as `longest`.
    pub(crate) fn new(address: &str, longest: Duration) -> Self {
        Self::of(&format!("the API server at {address}"), longest)
    }

    /// The same for what is called `server`.
    pub(crate) fn of(server: &str, longest: Duration) -> Self {
        Self { longest, outage: Outage::of(server) }
    }

    /// The same, and not longer than this.
    pub(crate) fn at_most(&self, longest: Duration) -> Self {
        Self { longest: self.longest.min(longest), ..self.clone() }
    }

    /// What `ask` gives, asked again while the server is away, for as long as it may be.
    pub(crate) async fn persist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, KubeError>
    where
        F: Future<Output = Result<T, KubeError>>,
    {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        loop {
            let answer = self.once(ask()).await;
            let is_away =
                answer.as_ref().err().is_some_and(|error| Trouble::of(error) == Trouble::Away);
            if !is_away || started.elapsed() >= self.longest {
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
