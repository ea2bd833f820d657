//! Loads the machine code of a run: from this process, from the stage, or by compiling the component.

use bytes::Bytes;
use hype_stage::StageErrorKind;
use hype_wire::{Artefact, Blob, Code, ComponentRef, Failure, FailureKind, Job};

use crate::blobs::Blobs;
use crate::callee::ReadyComponent;
use crate::engine::{CodeKind, Target};
use crate::executor::Executor;
use crate::fetch::object_failure;
use crate::load_time::LoadTime;
use crate::machine_code::MachineCode;
#[cfg(target_os = "linux")]
use crate::workers::{WorkerCode, Workers};

/// The reason to compile a component although its machine code is staged: loading machine code of an
/// attacker who can write to the stage would let the attacker run anything here.
const UNTRUSTED: &str = "the manifest isn't verified: the runner was started without its digest";

/// A component, where its calls run.
pub(crate) enum Runnable {
    /// In this process.
    Here(ReadyComponent),
    /// In worker processes.
    #[cfg(target_os = "linux")]
    InWorkers(Workers, WorkerCode),
}

/// A component that is ready to run.
pub(crate) struct Loaded {
    pub(crate) component: Runnable,
    pub(crate) code: Code,
    /// The reason why staged machine code was not used.
    pub(crate) why_compiled: Option<String>,
    /// The time to compile or load, in microseconds.
    pub(crate) took_us: u64,
}

/// Loads the component of `job`.
///
/// Uses staged machine code only if the manifest that names it is trusted (`is_trusted`), and only the
/// bytes whose digest was verified. Compiles the component if the machine code is missing, or was
/// compiled for another machine or by another version.
///
/// # Errors
///
/// A failure of the kind `infrastructure` when the machine code or the component was altered.
pub(crate) async fn load(
    executor: &Executor,
    blobs: &Blobs<'_>,
    job: &Job,
    is_trusted: bool,
) -> Result<Loaded, Failure> {
    let mut time = LoadTime::of(job);
    let loader = time.bound(Loader::of(executor, job)).await?;
    if let Some(component) = loader.loaded(job) {
        let took_us = time.spent_us();
        return Ok(Loaded { component, code: Code::Reused, why_compiled: None, took_us });
    }
    let _turn = time.bound(loader.turn(job)).await?;
    if let Some(component) = loader.loaded(job) {
        let took_us = time.spent_us();
        return Ok(Loaded { component, code: Code::Reused, why_compiled: None, took_us });
    }
    let why_compiled = match &job.artefact {
        None => None,
        Some(_) if !is_trusted => Some(UNTRUSTED.to_owned()),
        Some(artefact) => {
            match Box::pin(precompiled(&loader, blobs, job, artefact, &mut time)).await? {
                Ok(loaded) => return Ok(loaded),
                Err(why) => Some(why),
            }
        }
    };
    let component = &job.component;
    if component.blob.size > ComponentRef::MAX_SIZE {
        let Blob { size, .. } = component.blob;
        let problem = format!(
            "component {} has {size} bytes, more than the {} that are compiled; strip it",
            component.name,
            ComponentRef::MAX_SIZE
        );
        return Err(Failure::new(FailureKind::Incompatible, problem));
    }
    let bytes = blobs
        .get(&component.blob)
        .await
        .map_err(|error| object_failure(&format!("component {}", component.name), &error))?;
    let component = Box::pin(loader.compile(job, bytes, &mut time)).await?;
    Ok(Loaded { component, code: Code::Compiled, why_compiled, took_us: time.spent_us() })
}

/// The turn to load a component.
type Turn = tokio::sync::OwnedMutexGuard<()>;

/// Loads components into the place where the calls of a job run.
enum Loader<'a> {
    Here(&'a Executor),
    #[cfg(target_os = "linux")]
    InWorkers(&'a Executor, &'a Workers),
}

impl<'a> Loader<'a> {
    async fn of(executor: &'a Executor, job: &Job) -> Self {
        #[cfg(target_os = "linux")]
        if let Some(workers) = executor.workers_for(&job.powers).await {
            return Self::InWorkers(executor, workers);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = job;
        Self::Here(executor)
    }

    fn kind(&self) -> CodeKind {
        match self {
            Self::Here(executor) => executor.own_kind(),
            #[cfg(target_os = "linux")]
            Self::InWorkers(..) => CodeKind::Unchecked,
        }
    }

    fn loaded(&self, job: &Job) -> Option<Runnable> {
        let digest = &job.component.blob.digest;
        match self {
            Self::Here(executor) => executor.components().get(digest).map(Runnable::Here),
            #[cfg(target_os = "linux")]
            Self::InWorkers(_, workers) => workers
                .loaded(digest)
                .map(|code| Runnable::InWorkers(Workers::clone(workers), code)),
        }
    }

    /// Loads machine code. Returns `Ok(Err(reason))` when another version compiled it, or for another machine.
    ///
    /// # Safety
    ///
    /// The code must be the output of [`precompile`](crate::precompile).
    async unsafe fn load(
        &self,
        job: &Job,
        code: MachineCode,
    ) -> Result<Result<Runnable, String>, Failure> {
        match self {
            // SAFETY: the caller guarantees that `precompile` made the bytes.
            Self::Here(executor) => unsafe {
                Ok(executor.load(&job.component, &code)?.map(Runnable::Here))
            },
            #[cfg(target_os = "linux")]
            Self::InWorkers(_, workers) => {
                let Some(file) = code.into_file() else {
                    return Ok(Err("this machine has no sealed files".to_owned()));
                };
                // SAFETY: the caller guarantees that `precompile` made the bytes.
                let loaded = unsafe { workers.load(&job.component, file).await? };
                Ok(loaded.map(|code| Runnable::InWorkers(Workers::clone(workers), code)))
            }
        }
    }

    /// Waits until no other run loads the component of `job` into workers. Returns the turn.
    async fn turn(&self, job: &Job) -> Option<Turn> {
        #[cfg(not(target_os = "linux"))]
        let _ = job;
        match self {
            Self::Here(_) => None,
            #[cfg(target_os = "linux")]
            Self::InWorkers(_, workers) => Some(workers.turn(&job.component.blob.digest).await),
        }
    }

    async fn compile(
        &self,
        job: &Job,
        bytes: Bytes,
        time: &mut LoadTime<'_>,
    ) -> Result<Runnable, Failure> {
        let component = &job.component;
        match self {
            Self::Here(executor) => {
                let compiled = executor.compile(component, bytes, time.timeout_left());
                time.measure(compiled).await.map(Runnable::Here)
            }
            #[cfg(target_os = "linux")]
            Self::InWorkers(executor, _) => {
                let compiled = executor.compile_unchecked(component, bytes, time.timeout_left());
                let code = time.measure(compiled).await?;
                // SAFETY: the bytes were just compiled.
                let loaded = time.bound(unsafe { self.load(job, code) }).await??;
                loaded.map_err(|reason| {
                    let problem = format!("component {} can't be loaded", component.name);
                    Failure {
                        causes: vec![reason],
                        ..Failure::new(FailureKind::Incompatible, problem)
                    }
                })
            }
        }
    }
}

async fn precompiled(
    loader: &Loader<'_>,
    blobs: &Blobs<'_>,
    job: &Job,
    artefact: &Artefact,
    time: &mut LoadTime<'_>,
) -> Result<Result<Loaded, String>, Failure> {
    match artefact.platform.parse::<Target>() {
        Ok(Target { platform, .. }) if !platform.is_here() => {
            return Ok(Err(format!(
                "it was compiled for {platform}, which this machine doesn't support"
            )));
        }
        Ok(Target { kind, .. }) if kind == loader.kind() => {}
        Ok(Target { kind: CodeKind::Unchecked, .. }) => {
            return Ok(Err("it can't be interrupted, and the call runs beside others".to_owned()));
        }
        Ok(Target { kind: CodeKind::Checked, .. }) => {
            return Ok(Err("it contains checks, which this process doesn't need".to_owned()));
        }
        Err(error) => return Ok(Err(error.to_string())),
    }
    let code = match MachineCode::fetch(blobs, &artefact.blob).await {
        Ok(code) => code,
        Err(error) if error.kind() == StageErrorKind::NotFound => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => {
            let what = format!("the machine code of component {}", job.component.name);
            return Err(object_failure(&what, &error));
        }
    };
    // SAFETY: these bytes have the digest in a trusted manifest, and a submitter only names machine
    // code there that it compiled itself.
    let loaded = time.bound(unsafe { loader.load(job, code) }).await??;
    Ok(loaded.map(|component| Loaded {
        component,
        code: Code::Precompiled,
        why_compiled: None,
        took_us: time.spent_us(),
    }))
}
