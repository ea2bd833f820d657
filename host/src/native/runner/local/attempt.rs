//! One attempt in this process.

use std::sync::Arc;

use hype_run::{CancellationToken, GuestOutput, RunRequest, Stream, Variables};
use hype_stage::Stage;

use super::Inner;
use crate::error::{Error, Result};
use crate::run::log::{Log, LogStream};
use crate::runner::{Attempt, Completion};

/// Returns the request of an attempt in this process.
pub(super) fn request(attempt: &Attempt) -> RunRequest {
    RunRequest {
        manifest_url: attempt.manifest_url.clone(),
        digest: Some(attempt.manifest_digest),
        manifest: attempt.manifest.clone(),
        arguments: attempt.arguments.clone(),
        key: Some(attempt.key.clone()),
        attempt: attempt.number,
        variables: Variables::none(),
        interrupt: CancellationToken::new(),
    }
}

/// Makes one attempt. `unstaged` is the stage of a run that may have no manifest there.
pub(super) async fn run(
    inner: Arc<Inner>,
    run_id: String,
    request: RunRequest,
    log: Log,
    unstaged: Option<Stage>,
) -> Result<Completion> {
    let output = GuestOutput::new(move |stream, bytes| match stream {
        Stream::Stdout => log.write_exactly(LogStream::Stdout, bytes),
        Stream::Stderr => log.write_exactly(LogStream::Stderr, bytes),
    });
    let lost = |error| Error::lost(&run_id, error);
    let executor = &inner.executor;
    match unstaged {
        Some(stage) => {
            let outcome = hype_run::run_unstaged(executor, &stage, &request, output).await;
            Ok(Completion::Returned(Box::new(outcome.map_err(lost)?)))
        }
        None => {
            let finished = hype_run::run(executor, &request, output).await.map_err(lost)?;
            Ok(Completion::Line(finished.line))
        }
    }
}
