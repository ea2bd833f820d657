//! The mounts through which a container reaches its part of a stage in a directory.

use std::path::Path;

use futures::FutureExt;
use hype_stage::{Stage, StageView};
use hype_wire::{Access, RunManifest, names};

use super::container::Bind;
use super::stage_access::STAGE_DIR;
use crate::error::{Error, Result};
use crate::runner::Attempt;
use crate::runner::create_resource::create_resource;

/// Creates the view of an attempt, and returns its mounts: the blobs that the manifest names and the run's inputs, both
/// read-only, and the run's directory for the outcome.
pub(super) async fn stage_mounts(attempt: &Attempt) -> Result<Vec<Bind>> {
    let Attempt { run_id, number, stage_url, cleanup, .. } = attempt;
    let stage = Stage::open(stage_url)?;
    let blobs = match &attempt.manifest {
        Some(manifest) => digests(manifest),
        None => {
            let (name, digest) = (names::manifest(run_id), &attempt.manifest_digest);
            let bytes = stage.get_verified(&name, digest, RunManifest::MAX_SIZE).await?;
            digests(&RunManifest::from_bytes(&bytes)?)
        }
    };
    let what = format!("the view of {run_id}-{number} in {stage_url}");
    let (views, run) = (stage.clone(), run_id.clone());
    let removal = async move { Ok(views.remove_views(&run).await?) };
    let (run, number) = (run_id.clone(), *number);
    let request = async move { stage.create_view(&run, number, blobs).await };
    binds(run_id, create_resource(request.boxed(), Some((cleanup, what, removal.boxed()))).await??)
}

fn digests(manifest: &RunManifest) -> Vec<hype_wire::Digest> {
    manifest.job.blobs().map(|blob| blob.digest).collect()
}

fn binds(run_id: &str, view: StageView) -> Result<Vec<Bind>> {
    let mut binds = vec![
        stage_bind(&view.blobs, names::BLOBS, Access::ReadOnly)?,
        stage_bind(&view.run, &names::run(run_id), Access::ReadWrite)?,
    ];
    // Mounted over the files of the run's directory, so that commands can't replace these.
    for (name, file) in &view.inputs {
        binds.push(stage_bind(file, name, Access::ReadOnly)?);
    }
    Ok(binds)
}

/// Returns the mount of `source` in place of the object or folder `name` of the stage.
fn stage_bind(source: &Path, name: &str, access: Access) -> Result<Bind> {
    let source = source
        .to_str()
        .ok_or_else(|| Error::input(format!("the path {} is not UTF-8", source.display())))?;
    Ok(Bind { source: source.to_owned(), target: format!("{STAGE_DIR}/{name}"), access })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hype_wire::{Blob, Bytes, Call, ComponentRef, File, Job, Payload};

    use super::*;
    use crate::cleanup::background::Background;
    use crate::cleanup::list::CleanupList;
    use crate::environment::RunEnvironment;
    use crate::run::handover::Handover;
    use crate::run::log::Log;

    const RUN: &str = "hype-run-abcdefghij";

    fn manifest() -> RunManifest {
        let component = ComponentRef { name: "a.wasm".into(), blob: Blob::of(b"component") };
        let mut job = Job::new(component);
        let blob = Blob::of(b"file");
        job.files.push(File { path: "/file".parse().unwrap(), blob });
        RunManifest::new(
            RUN.parse().unwrap(),
            job,
            Call::closure("a::b", Payload::Inline(Bytes(vec![0x90]))),
        )
    }

    /// Stages the manifest, its blobs and a blob of another run.
    async fn staged(directory: &Path) -> Stage {
        let stage = Stage::in_directory(directory).unwrap();
        for bytes in ["component", "file", "other"] {
            let source = hype_stage::Source::bytes(bytes);
            stage.put_blob(&Blob::of(bytes.as_bytes()), &source).await.unwrap();
        }
        stage.put(&names::manifest(RUN), manifest().to_bytes().unwrap().into()).await.unwrap();
        stage
    }

    fn attempt(stage: &Stage, cleanup: &CleanupList) -> Attempt {
        Attempt {
            run_id: RUN.into(),
            number: 1,
            function: "a::b".into(),
            component: "a.wasm".into(),
            stage_url: stage.url().into(),
            manifest_url: stage.url_of(&names::manifest(RUN)),
            manifest_digest: hype_wire::Digest::of(&manifest().to_bytes().unwrap()),
            manifest: None,
            unstaged: None,
            arguments: None,
            image: None,
            env: RunEnvironment::new(),
            key: hype_wire::RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            cleanup: cleanup.of_run(),
            handover: Handover::new(),
        }
    }

    #[tokio::test]
    async fn container_mounts_its_run_and_blobs_alone() {
        let directory = tempfile::tempdir().unwrap();
        let stage = staged(directory.path()).await;
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        let mut attempt = attempt(&stage, &cleanup);
        let binds = stage_mounts(&attempt).await.unwrap();
        let root = directory.path().canonicalize().unwrap();
        let view = format!("views/{RUN}/1");
        let expected = [
            (format!("{view}/blobs"), "blobs".to_owned(), Access::ReadOnly),
            (format!("runs/{RUN}"), format!("runs/{RUN}"), Access::ReadWrite),
            (format!("{view}/manifest"), names::manifest(RUN), Access::ReadOnly),
        ];
        let expected = expected.map(|(source, target, access)| Bind {
            source: root.join(source).to_str().unwrap().to_owned(),
            target: format!("/run/hype/stage/{target}"),
            access,
        });
        assert_eq!(binds, expected);
        let mut names: Vec<_> = std::fs::read_dir(root.join(&view).join("blobs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected =
            ["component", "file"].map(|it| Blob::of(it.as_bytes()).digest.to_string());
        expected.sort();
        assert_eq!(names, expected);

        attempt.number = 2;
        attempt.manifest = Some(Arc::new(manifest()));
        stage_mounts(&attempt).await.unwrap();
        assert!(root.join(format!("views/{RUN}/2/blobs/{}", expected[0])).exists());
        attempt.cleanup.remove().await.unwrap();
        assert!(!root.join("views").join(RUN).exists());
        assert!(root.join(names::manifest(RUN)).exists());
    }
}
