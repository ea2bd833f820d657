//! Replacements on systems without Unix sockets, where each process knows only its own runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::BoxStream;
use hype_stage::CollectMode;
use hype_wire::{DrivenRun, RunId};

use super::Cancelled;
use crate::error::{Error, Result};
use crate::run::driver::Dispatcher;
use crate::run::log::LogLine;
use crate::runner::CollectedLeftovers;

#[derive(Debug, Clone)]
pub(crate) struct LocalRun {
    pub(crate) socket: PathBuf,
    pub(crate) run: DrivenRun,
}

pub(crate) type RemoteLog = BoxStream<'static, Result<LogLine>>;

pub(crate) async fn serve(_: Arc<Dispatcher>) {}

pub(crate) async fn list(_: &str) -> Vec<LocalRun> {
    Vec::new()
}

pub(crate) async fn cancel(_: &Path, _: &RunId) -> Result<Cancelled> {
    Ok(Cancelled::Unknown)
}

pub(crate) async fn follow(
    _: &Path,
    run_id: &RunId,
    _: Option<usize>,
    _: bool,
) -> Result<RemoteLog> {
    Err(Error::input(format!("the log of {run_id} cannot be read from another process")))
}

pub(crate) async fn collect_sockets(_: CollectMode) -> CollectedLeftovers {
    CollectedLeftovers::default()
}
