//! The part of a directory stage that a command in a container can reach.

use std::path::Path;

use conformance::cases::commands::{granting, script};
use hype_stage::Source;
use hype_wire::{Blob, names};
use test_guests::process::{CommandResult, perform};

use super::{submitter, wait};

const OTHER_RUN: &str = "hype-run-otherother";
const OTHER_BLOB: &[u8] = b"the secret of another run";

/// Runs `text` as a shell script in a container, beside the objects of another run. Returns the script's result and the
/// stage's directory, in which no view is left.
fn perform_beside_other_run(text: &str) -> (tempfile::TempDir, CommandResult) {
    let (directory, submitter) = submitter(|runner| runner);
    let result = wait(async {
        let stage = submitter.stage();
        let blob = Blob::of(OTHER_BLOB);
        stage.put_blob(&blob, &Source::bytes(OTHER_BLOB)).await.unwrap();
        stage.put(&names::manifest(OTHER_RUN), "manifest".into()).await.unwrap();
        submitter.submit(perform(script(text)), &granting(&["sh"])).await.unwrap()
    });
    drop(submitter);
    assert_eq!(entries(&directory.path().join("views")), [""; 0]);
    (directory, result)
}

fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn command_reads_no_blob_of_another_run() {
    let other = names::blob(&Blob::of(OTHER_BLOB).digest);
    let text = format!("cat /run/hype/stage/blobs/* | wc -c; cat /run/hype/stage/{other}");
    let (_stage, result) = perform_beside_other_run(&text);
    assert_eq!(result.code, Some(1), "{result:?}");
    assert!(result.err.contains("No such file"), "{result:?}");
    assert!(result.out.trim().parse::<u64>().unwrap() > 0, "{result:?}");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn command_lists_no_other_run() {
    let (_stage, result) = perform_beside_other_run("ls /run/hype/stage /run/hype/stage/runs");
    assert!(result.out.contains("hype-run-") && !result.out.contains(OTHER_RUN), "{result:?}");
    assert!(!result.out.contains("views") && !result.out.contains("clock"), "{result:?}");
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn command_changes_no_blob() {
    let text = "cd /run/hype/stage/blobs; mv ./* ../runs/*/ && echo moved; ln ./* ../runs/*/ && echo linked
        for blob in ./*; do
            (echo broken >\"$blob\") && echo written; chmod 777 \"$blob\" && echo changed
            rm -f \"$blob\" && echo removed; touch \"$blob\" && echo touched
        done; echo new >new && echo created";
    let (directory, result) = perform_beside_other_run(text);
    assert_eq!(result.out, "", "{result:?}");
    for name in entries(&directory.path().join("blobs")) {
        let bytes = std::fs::read(directory.path().join("blobs").join(&name)).unwrap();
        assert_eq!(Blob::of(&bytes).digest.to_string(), name);
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn command_plants_no_link_for_another_run() {
    let text = "cd /run/hype/stage; rm -rf runs/* && echo removed
        for link in runs/hype-run-planted runs/hype-run-otherother blobs/planted views clock planted; do
            ln -s /etc $link && echo $link
        done";
    let (directory, result) = perform_beside_other_run(text);
    assert_eq!(result.out, "", "{result:?}");
    for folder in ["", "blobs", "runs"] {
        for name in entries(&directory.path().join(folder)) {
            let path = directory.path().join(folder).join(name);
            assert!(!path.is_symlink(), "{}", path.display());
        }
    }
    assert!(directory.path().join(names::manifest(OTHER_RUN)).exists());
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn command_changes_no_manifest() {
    let text = "cd /run/hype/stage/runs/*; (echo broken >manifest) && echo written
        rm -f manifest && echo removed; mv manifest other && echo moved
        ln -s /etc/passwd other; mv -T other manifest && echo replaced; test -s manifest";
    let (_stage, result) = perform_beside_other_run(text);
    assert_eq!((result.code, &*result.out), (Some(0), ""), "{result:?}");
}
