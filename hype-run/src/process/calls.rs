//! The calls with which a guest runs commands.

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, subscribe};

use super::commands::{Child, Unstarted};
use super::variables::Changes;
use crate::execution::Guest;
use crate::filesystem::NoFiles;

/// The host's bindings of `wit/process.wit`.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "commands",
        imports: {
            "spotify:hype/process.spawn": async | trappable,
            default: trappable,
        },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "spotify:hype/process.child": crate::process::commands::Child,
        },
    });
}

#[cfg(target_os = "linux")]
pub(crate) use bindings::spotify::hype::process::Stdio;
pub(crate) use bindings::spotify::hype::process::{
    Command, Error, ErrorKind, ExitStatus, Host, HostChild, add_to_linker,
};

/// Adds the interface `spotify:hype/process` to `linker`.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Host for Guest {
    async fn spawn(
        &mut self,
        command: Command,
    ) -> wasmtime::Result<Result<Resource<Child>, Error>> {
        let changes = Changes {
            clear: command.clear,
            removed: command.removed.clone(),
            set: command.environment.clone(),
        };
        match self.sandbox.start(&command, &changes).await {
            Ok(child) => Ok(Ok(self.ctx().table.push(child)?)),
            Err(Unstarted::Error(kind, message)) => Ok(Err(Error { kind, message })),
            Err(Unstarted::Denied(denied)) => Err(denied.into()),
            Err(Unstarted::Failed(failure)) => Err(NoFiles(failure).into()),
            Err(Unstarted::OverBudget(error)) => Err(error.into()),
        }
    }
}

impl HostChild for Guest {
    fn take_stdin(
        &mut self,
        child: Resource<Child>,
    ) -> wasmtime::Result<Option<Resource<DynOutputStream>>> {
        let table = self.ctx().table;
        let stream = table.get_mut(&child)?.stdin.take();
        Ok(stream.map(|stream| table.push(stream)).transpose()?)
    }

    fn take_stdout(
        &mut self,
        child: Resource<Child>,
    ) -> wasmtime::Result<Option<Resource<DynInputStream>>> {
        let table = self.ctx().table;
        let stream = table.get_mut(&child)?.stdout.take();
        Ok(stream.map(|stream| table.push(stream)).transpose()?)
    }

    fn take_stderr(
        &mut self,
        child: Resource<Child>,
    ) -> wasmtime::Result<Option<Resource<DynInputStream>>> {
        let table = self.ctx().table;
        let stream = table.get_mut(&child)?.stderr.take();
        Ok(stream.map(|stream| table.push(stream)).transpose()?)
    }

    fn subscribe(&mut self, child: Resource<Child>) -> wasmtime::Result<Resource<DynPollable>> {
        let table = self.ctx().table;
        let end = table.get(&child)?.end.clone();
        let end = table.push(end)?;
        subscribe(table, end)
    }

    fn status(&mut self, child: Resource<Child>) -> wasmtime::Result<Option<ExitStatus>> {
        Ok(self.ctx().table.get(&child)?.end.status())
    }

    fn kill(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.ctx().table.get(&child)?.end.kill();
        Ok(())
    }

    fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.ctx().table.delete(child)?;
        Ok(())
    }
}
