//! Resources of a run that every handle has, whether it started the run or attached to it.

use hype_wire::RunId;
use tokio::sync::watch;

use crate::call::closure::Call;
use crate::cleanup::list::CleanupList;
use crate::run::driver::Dispatcher;
use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;

/// The resources of one run.
pub(crate) struct RunResources {
    pub(crate) log: Log,
    pub(crate) cleanup: CleanupList,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) lease: Lease,
    pub(crate) objects: RunObjects,
}

impl RunResources {
    /// Creates the resources of the run `id`, which calls `function`.
    pub(crate) fn new(dispatcher: &Dispatcher, id: &RunId, function: &str) -> Self {
        Self::with_log(dispatcher, id, function, Log::new(format!("{function} {id}")))
    }

    /// Creates the resources of the run `id` of `call`.
    pub(crate) fn of_call(dispatcher: &Dispatcher, id: &RunId, call: &Call) -> Self {
        match call.relay() {
            Some(relay) => {
                Self::with_log(dispatcher, id, call.function(), Log::relayed(relay.clone()))
            }
            None => Self::new(dispatcher, id, call.function()),
        }
    }

    fn with_log(dispatcher: &Dispatcher, id: &RunId, function: &str, log: Log) -> Self {
        let cleanup = dispatcher.cleanup.of_run();
        // The oldest entry of the list runs last, when nothing writes to the log any more.
        let ended_log = log.clone();
        cleanup.register_action(async move {
            ended_log.end();
            Ok(())
        });
        let lease = Lease::new(&dispatcher.stage, id, function, dispatcher.lease_term);
        let objects = RunObjects::new(id, &dispatcher.stage, &lease, &dispatcher.registry);
        Self { log, cleanup, status: watch::Sender::new(Status::Staging), lease, objects }
    }
}
