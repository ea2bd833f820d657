//! Creates, lists and removes views.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use hype_wire::{Digest, names};

use super::{StageView, VIEWS};
use crate::directory::{Folder, MARKER};

/// The objects of a run that its attempts read and never write.
const INPUTS: [fn(&str) -> String; 3] = [names::manifest, names::arguments, names::value];

/// Creates the view of an attempt in the stage at `root`.
pub(super) fn create(
    root: &Path,
    run_id: &str,
    attempt: u32,
    blobs: &[Digest],
) -> io::Result<StageView> {
    let root = root.canonicalize()?;
    check_run_id(run_id)?;
    let stage = Folder::open_root(&root)?;
    // Also checks that the run's directory, which the container mounts, is not a symbolic link.
    let run = stage.open(names::RUNS)?.open(run_id)?;
    let number = attempt.to_string();
    let view = stage.open_or_create(VIEWS)?.open_or_create(run_id)?.create(&number)?;
    let (from, to) = (stage.open_or_create(names::BLOBS)?, view.create(names::BLOBS)?);
    for digest in blobs {
        from.share(&digest.to_string(), &to)?;
    }
    let path = root.join(VIEWS).join(run_id).join(number);
    let mut inputs = Vec::new();
    for name_of in INPUTS {
        let object = name_of(run_id);
        let name = base_name(&object);
        if run.share(name, &view)? {
            inputs.push((object.clone(), path.join(name)));
        }
    }
    Ok(StageView { blobs: path.join(names::BLOBS), run: root.join(names::run(run_id)), inputs })
}

/// Removes the views of a run in the stage at `root`. Keeps files that can't be part of a view, such as those of
/// another program whose directory was used as a stage.
pub(super) fn remove(root: &Path, run_id: &str) -> io::Result<()> {
    check_run_id(run_id)?;
    let Some(views) = open_views(root)? else { return Ok(()) };
    let Some(run) = views.find(run_id)? else { return Ok(()) };
    for number in run.names()?.iter().filter(|name| is_attempt(name)) {
        let Some(view) = run.find(number)? else { continue };
        if let Some(blobs) = view.find(names::BLOBS)? {
            for name in blobs.names()?.iter().filter(|name| is_digest(name)) {
                remove_file(&blobs, name)?;
            }
            view.remove_empty(names::BLOBS)?;
        }
        for name_of in INPUTS {
            remove_file(&view, base_name(&name_of(run_id)))?;
        }
        run.remove_empty(number)?;
    }
    views.remove_empty(run_id).map(drop)
}

/// Removes a file. Does nothing if it is missing.
fn remove_file(folder: &Folder, name: &str) -> io::Result<()> {
    match folder.remove_file(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the IDs of the runs that have views in the stage at `root`, with the time at which each run's latest view
/// was created.
pub(super) fn list(root: &Path) -> io::Result<BTreeMap<String, SystemTime>> {
    let mut runs = BTreeMap::new();
    let Some(views) = open_views(root)? else { return Ok(runs) };
    for name in views.names()? {
        let is_run = names::is_run_id(&name)
            && views.open(&name).is_ok_and(|run| {
                run.names().is_ok_and(|names| names.iter().all(|name| is_attempt(name)))
            });
        if is_run && let Some(modified) = views.modified(&name)? {
            runs.insert(name, modified);
        }
    }
    Ok(runs)
}

/// Opens the folder of all views; `None` if it is missing, or if the directory is not marked as a stage.
fn open_views(root: &Path) -> io::Result<Option<Folder>> {
    match Folder::open_root(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(stage) if !stage.has_file(MARKER) => Ok(None),
        stage => stage?.find(VIEWS),
    }
}

fn is_attempt(name: &str) -> bool {
    name.parse::<u32>().is_ok_and(|number| number.to_string() == name)
}

fn is_digest(name: &str) -> bool {
    name.parse::<Digest>().is_ok()
}

/// Returns the last component of an object's name.
fn base_name(object: &str) -> &str {
    object.rsplit('/').next().unwrap_or_default()
}

fn check_run_id(run_id: &str) -> io::Result<()> {
    if names::is_run_id(run_id) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{run_id}` cannot be a run's id")))
}
