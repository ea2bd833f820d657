//! The image run by hand with `docker run`, without a submitter.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;
use conformance::cases::values::component;
use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, Digest, End, Job, Outcome, Payload, RunManifest, TerminationLine,
    codec, names,
};

use super::{docker_output, wait};

const RUN: &str = "run-1";

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn image_runs_manifest_in_directory() {
    let stage = tempfile::tempdir().unwrap();
    let digest = prepared(stage.path()).to_string();
    let owner = std::fs::metadata(stage.path()).unwrap();
    let user = format!("{}:{}", owner.uid(), owner.gid());
    let volume = format!("{}:/stage", stage.path().display());
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let manifest = format!("file:///stage/{}", names::manifest(RUN));
    docker_output(
        &[
            &[
                "run",
                "--rm",
                "--read-only",
                "--network",
                "none",
                "--user",
                &user,
                "--volume",
                &volume,
            ],
            &[&image[..], "run", &manifest, "--digest", &digest, "--termination-log", "/stage/log"]
                [..],
        ]
        .concat(),
    );
    let outcome = std::fs::read(stage.path().join("runs").join(RUN).join("outcome")).unwrap();
    let line = std::fs::read_to_string(stage.path().join("log")).unwrap();
    let line: TerminationLine = line.parse().unwrap();
    assert_eq!(line.digest, Digest::of(&outcome));
    let End::Value(Payload::Inline(value)) = Outcome::from_bytes(&outcome).unwrap().end else {
        panic!("a value, and a short one");
    };
    assert_eq!(codec::from_slice::<String>(&value).unwrap(), "hello you");
}

/// Stages a call of `greet`. Returns the digest of its manifest.
fn prepared(stage: &Path) -> Digest {
    conformance::build_guests();
    let bytes = Bytes::from(std::fs::read(component("test-guests")).unwrap());
    let blob = Blob::of(&bytes);
    let mut arguments = codec::array_head(1);
    codec::append(&mut arguments, &"you").unwrap();
    let component = ComponentRef { name: "test-guests.wasm".into(), blob };
    let manifest = RunManifest::new(
        RUN.parse().unwrap(),
        Job::new(component),
        Call::closure("greet", Payload::Inline(arguments.into())),
    );
    let manifest = Bytes::from(manifest.to_bytes().unwrap());
    let digest = Digest::of(&manifest);
    let stage = Stage::in_directory(stage).unwrap();
    wait(async {
        stage.put(&names::blob(&blob.digest), bytes).await.unwrap();
        stage.put(&names::manifest(RUN), manifest).await.unwrap();
    });
    digest
}
