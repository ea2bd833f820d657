//! The report of checks as a stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::{FutureExt, Stream, StreamExt, stream};

use super::{Check, CheckState, is_needed_by_runs};
use crate::configuration::Configuration;
use crate::error::{Error, Result};

/// Receives the results of checks. A [`Runner`](crate::runner::Runner) reports its own by it.
#[derive(Debug, Clone)]
pub struct Reporter {
    checks: UnboundedSender<Check>,
    /// The names of the failed checks.
    failed: Arc<Mutex<Vec<String>>>,
    /// The configuration whose values errors may mention.
    configuration: Option<Arc<Configuration>>,
}

impl Reporter {
    /// Reports that `name` works; `detail` is what was found.
    pub fn ok(&self, name: &str, detail: impl Into<String>) {
        self.report(Check::new(name, CheckState::Ok, detail));
    }

    /// Reports that `name` doesn't work. The hint of `error` is the remedy.
    pub fn failed(&self, name: &str, error: &Error) {
        let check = match &self.configuration {
            Some(configuration) => Check::failed(name, &configuration.explain(error.duplicate())),
            None => Check::failed(name, error),
        };
        self.report(check);
    }

    /// Adds to later failures which file sets the values that they mention.
    pub(super) fn explain_by(&mut self, configuration: Arc<Configuration>) {
        self.configuration = Some(configuration);
    }

    /// Reports that `name` could not be checked, which is no failure; `detail` is the reason.
    pub fn unknown(&self, name: &str, detail: impl Into<String>) {
        self.report(Check::new(name, CheckState::Unknown, detail));
    }

    /// Reports the result of a check, and returns its value.
    pub(crate) fn result<T>(
        &self,
        name: &str,
        result: Result<T>,
        detail: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.ok(name, detail(&value));
                Some(value)
            }
            Err(error) => {
                self.failed(name, &error);
                None
            }
        }
    }

    /// Reports that `name` was not checked since the check `missing` failed.
    pub(crate) fn skipped(&self, name: &str, missing: &str) {
        self.unknown(name, format!("not checked, since this failed: {missing}"));
    }

    /// Returns the first failed check without which no function runs, if any failed.
    pub(crate) fn first_failed(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.iter().find(|name| is_needed_by_runs(name)).cloned()
    }

    fn report(&self, check: Check) {
        if check.state == CheckState::Failed {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.push(check.name.clone());
        }
        // The receiver may have seen enough.
        let _ = self.checks.unbounded_send(check);
    }
}

/// Returns the stream of what `work` reports. Dropping the stream stops the work.
pub(crate) fn stream<F>(
    work: impl FnOnce(Reporter) -> F,
) -> Pin<Box<dyn Stream<Item = Check> + Send>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (checks, received) = unbounded();
    let work = work(Reporter { checks, failed: Arc::default(), configuration: None });
    let silent = work.into_stream().filter_map(|()| std::future::ready(None));
    Box::pin(stream::select(received, silent))
}
