//! A guest whose commands run in a room.

use hype_wire::{Access, Blob, CommandName, CommandRights, ComponentRef, Job};
use wasmtime_wasi::p2::{DynInputStream, Pollable, StreamError};

use crate::budget::Budget;
use crate::output::GuestOutput;
use crate::process::calls::{Command, ExitStatus, Stdio};
use crate::process::commands::{Child, Commands, Unstarted};
use crate::process::isolation::CommandIsolation;
use crate::process::place::{Shown, Spawned};
use crate::process::variables::Changes;

/// A guest's commands and its directories.
pub(super) struct Guest {
    commands: Commands,
    pub(super) shown: Vec<Shown>,
    _scratch: tempfile::TempDir,
}

/// The exit code and the output of a command that has ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) code: Option<u8>,
    pub(super) out: String,
    pub(super) err: String,
}

pub(super) fn job(rights: CommandRights) -> Job {
    let component = ComponentRef { name: "a.wasm".into(), blob: Blob::of(b"a") };
    let mut job = Job::new(component);
    for name in ["sh", "python3"] {
        let name = CommandName::try_from(name.to_owned()).unwrap();
        job.powers.commands.push(name.clone());
        job.powers.command_rights.insert(name, rights.clone());
    }
    job.env.insert("GREETING".into(), "hello".into());
    job
}

impl Guest {
    pub(super) fn new(job: &Job, shown: Vec<Shown>) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let output = GuestOutput::new(|_, _| {});
        let seen = job.env.clone().into_iter().collect();
        let budget = Budget::new(64 << 20);
        let isolation = CommandIsolation::Namespaces;
        let mut commands = Commands::new(job, seen, isolation, &output, &budget);
        let tmp = commands.make_room(&shown, scratch.path()).unwrap().unwrap();
        let tmp =
            Shown { path: "/tmp".into(), real: tmp, access: Access::ReadWrite, is_beside: false };
        let shown = shown.into_iter().chain([tmp]).collect();
        Self { commands, shown, _scratch: scratch }
    }

    pub(super) async fn run(&mut self, words: &[&str]) -> Done {
        self.start(words, &[]).await.unwrap()
    }

    /// Starts a command with pipes for its output.
    pub(super) fn spawn(&mut self, words: &[&str], set: &[(&str, &str)]) -> Result<Child, String> {
        let command = Command {
            program: words[0].to_owned(),
            arguments: words[1..].iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            removed: Vec::new(),
            clear: false,
            directory: None,
            stdin: Stdio::Null,
            stdout: Stdio::Piped,
            stderr: Stdio::Piped,
        };
        let set = set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let changes = Changes { set, ..Changes::default() };
        let started = self.commands.start(&command, &changes, &self.shown);
        started.map(Spawned::into_child).map_err(|unstarted| match unstarted {
            Unstarted::Error(_, message) => message,
            Unstarted::Denied(denied) => denied.to_string(),
            Unstarted::Failed(failure) => format!("{failure:?}"),
            Unstarted::OverBudget(error) => error.to_string(),
        })
    }

    pub(super) async fn start(
        &mut self,
        words: &[&str],
        set: &[(&str, &str)],
    ) -> Result<Done, String> {
        let mut child = self.spawn(words, set)?;
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (out, err) = tokio::join!(read(&mut out), read(&mut err));
        child.end.ready().await;
        let code = match child.end.status() {
            Some(ExitStatus::Exited(code)) => u8::try_from(code).ok(),
            _ => None,
        };
        Ok(Done { code, out, err })
    }
}

pub(super) async fn read(stream: &mut DynInputStream) -> String {
    let mut all = Vec::new();
    loop {
        stream.ready().await;
        match stream.read(64 << 10) {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(StreamError::Closed) => return String::from_utf8_lossy(&all).into_owned(),
            Err(error) => panic!("{error:?}"),
        }
    }
}
