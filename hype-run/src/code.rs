//! Where the machine code of a run comes from: this process, the submitter, or the compiler.

use std::time::Instant;

use hype_stage::StageErrorKind;
use hype_wire::{Artefact, Code, Failure, Job};

use crate::blobs::Blobs;
use crate::callee::ReadyComponent;
use crate::engine::Platform;
use crate::executor::Executor;
use crate::fetch::refused;
use crate::mapped::MachineCode;
use crate::run::micros;

/// A component that is ready to run.
pub(crate) struct Loaded {
    pub(crate) component: ReadyComponent,
    pub(crate) code: Code,
    /// Why the staged machine code was not used.
    pub(crate) why_compiled: Option<String>,
    /// How long compiling or loading took, in microseconds.
    pub(crate) took_us: u64,
}

/// The component of `job`, ready to run.
///
/// Staged machine code is loaded only if a trusted way vouched for the manifest that names it
/// (`is_verified`), over the very bytes that were hashed. One that isn't there, or was made for
/// another machine or by another version, is done without; one that was altered is refused.
pub(crate) async fn load(
    executor: &Executor,
    blobs: &Blobs<'_>,
    job: &Job,
    is_verified: bool,
) -> Result<Loaded, Failure> {
    if let Some(component) = executor.reuse(&job.component.blob.digest) {
        return Ok(Loaded { component, code: Code::Reused, why_compiled: None, took_us: 0 });
    }
    let why_compiled = match &job.artefact {
        None => None,
        Some(_) if !is_verified => Some("nobody vouches for the manifest".to_owned()),
        Some(artefact) => match precompiled(executor, blobs, job, artefact).await? {
            Ok(loaded) => return Ok(loaded),
            Err(why) => Some(why),
        },
    };
    let component = &job.component;
    let bytes = blobs
        .get(&component.blob)
        .await
        .map_err(|error| refused(&format!("component {}", component.name), &error))?;
    let started = Instant::now();
    Ok(Loaded {
        component: executor.compile(component, bytes, job.limits.timeout()).await?,
        code: Code::Compiled,
        why_compiled,
        took_us: micros(started),
    })
}

async fn precompiled(
    executor: &Executor,
    blobs: &Blobs<'_>,
    job: &Job,
    artefact: &Artefact,
) -> Result<Result<Loaded, String>, Failure> {
    match artefact.platform.parse::<Platform>() {
        Ok(platform) if platform.is_here() => {}
        Ok(platform) => return Ok(Err(format!("it is for {platform}, which this machine is not"))),
        Err(error) => return Ok(Err(error.to_string())),
    }
    let code = match MachineCode::fetch(blobs, &artefact.blob).await {
        Ok(code) => code,
        Err(error) if error.kind() == StageErrorKind::NotFound => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => {
            let what = format!("the machine code of component {}", job.component.name);
            return Err(refused(&what, &error));
        }
    };
    let started = Instant::now();
    // SAFETY: these bytes have the digest that stands in a manifest for which the submitter
    // vouched, and a submitter names nothing there but what it compiled itself.
    let loaded = unsafe { executor.load(&job.component, &code)? };
    Ok(loaded.map(|component| Loaded {
        component,
        code: Code::Precompiled,
        why_compiled: None,
        took_us: micros(started),
    }))
}
