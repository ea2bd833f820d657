//! The functions of a component, called as the local runner calls them: in a worker process.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use hype_run::{Executor, GuestOutput, ItemCall, Prepared};
use hype_wire::{Digest, Failure, FunctionRef, Powers};
use tokio::runtime::Runtime;

use crate::staged::{Staged, argument, runtime};

pub(crate) struct Guest {
    runtime: Runtime,
    prepared: Prepared<Box<Executor>>,
    _staged: Staged,
}

impl Guest {
    /// Prepares the component at `path`.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let executor = Box::new(Executor::in_workers(1));
        let (prepared, staged) = runtime.block_on(async {
            let kind = executor.code_kind(&Powers::default()).await;
            let staged = Staged::with_code(path, kind).await?;
            // The manifest has a call, which isn't made.
            let request = staged.run("compute", "", argument(())?).await?;
            let (prepared, _) = Prepared::fetch(executor, &request).await.map_err(failed)?;
            anyhow::Ok((prepared, staged))
        })?;
        Ok(Self { runtime, prepared, _staged: staged })
    }

    /// Calls a function with `arguments`, a MessagePack array.
    pub(crate) fn call(&self, function: &str, arguments: &Bytes) -> anyhow::Result<Called> {
        let function = FunctionRef::Closure(function.to_owned());
        let arguments = arguments.clone();
        let call = ItemCall { function: &function, arguments, seed: None, memory: None };
        let output = GuestOutput::new(|_, _| {});
        let execution = self.runtime.block_on(self.prepared.call_item(call, &output));
        let value = execution.value.map_err(failed)?;
        Ok(Called { took: Duration::from_micros(execution.cpu_us), value: Digest::of(&value) })
    }
}

/// A call that has ended.
pub(crate) struct Called {
    /// The processor time of the guest, which other load on the machine doesn't change.
    pub(crate) took: Duration,
    /// The digest of the value, as MessagePack.
    pub(crate) value: Digest,
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{}: {}", failure.message, failure.causes.join(": "))
}
