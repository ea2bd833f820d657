//! The pause between two looks for a change that no event reports.

use std::time::Duration;

/// The first and the longest pause.
const LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// The pause between two looks for a change that no event reports: 1 s, doubled for each look, up to 5 s.
#[derive(Debug)]
pub(crate) struct PollPause(Duration);

impl Default for PollPause {
    fn default() -> Self {
        Self(LIMITS.0)
    }
}

impl PollPause {
    /// Waits until the next look.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LIMITS.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_up_to_five_seconds() {
        let mut pause = PollPause::default();
        assert_eq!([0; 5].map(|_| pause.next().as_secs()), [1, 2, 4, 5, 5]);
    }
}
