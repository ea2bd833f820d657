//! Garbage collection of files that programs which ran closures in their process left on this machine.

use std::fs;

use hype_run::{GuestDirectory, guest_directories};
use hype_stage::CollectMode;

use super::CollectedLeftovers;
use super::collected::OF_LIVE_PROGRAM;
use crate::error::{Error, Result};
use crate::removal::{accept_missing, remove_tree};
use crate::staging::artefact::{self, UnfinishedFile};

/// Garbage-collects temporary directories of guests, and unfinished files in the cache of machine code.
pub(super) fn collect(mode: CollectMode) -> CollectedLeftovers {
    let mut collected = CollectedLeftovers::default();
    collected.record(collect_guest_directories(mode));
    collected.record(collect_machine_code(mode));
    collected
}

fn collect_guest_directories(mode: CollectMode) -> Result<CollectedLeftovers> {
    let directories = guest_directories()
        .map_err(|error| Error::runner("cannot look for temporary directories", error))?;
    let mut collected = CollectedLeftovers::default();
    for GuestDirectory { path, is_orphan } in directories {
        let name = format!("directory {}", path.display());
        if !is_orphan {
            collected.keep(name, OF_LIVE_PROGRAM);
            continue;
        }
        let removed = match mode {
            CollectMode::Delete => remove_tree(&path),
            CollectMode::DryRun => Ok(()),
        };
        let failed = |error| Error::runner(format!("cannot remove {name}"), error);
        let removed = removed.map_err(failed);
        collected.record_removal(&name, removed);
    }
    Ok(collected)
}

fn collect_machine_code(mode: CollectMode) -> Result<CollectedLeftovers> {
    let mut collected = CollectedLeftovers::default();
    for UnfinishedFile { path, is_old } in artefact::unfinished_files()? {
        let name = format!("file {}", path.display());
        if !is_old {
            collected.keep(name, "a program may be writing it");
            continue;
        }
        let removed = match mode {
            CollectMode::Delete => accept_missing(fs::remove_file(&path)),
            CollectMode::DryRun => Ok(()),
        };
        let failed = |error| Error::runner(format!("cannot remove {name}"), error);
        let removed = removed.map_err(failed);
        collected.record_removal(&name, removed);
    }
    Ok(collected)
}
