//! Processes killed half-way through an upload: no incomplete object appears.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hype_stage::{Source, Stage, StageErrorKind, StageOptions, Staged};
use hype_wire::Blob;
use test_stage::backends::{BUCKET, gcs_server};
use test_stage::bytes::{assert_same, some};

/// The size of a blob of five parts.
const SIZE: usize = 40 << 20;

const STAGE: &str = "TEST_STAGE";
const FILE: &str = "TEST_FILE";
const HALF_WAY: &str = "half-way";

#[tokio::test]
#[ignore = "needs a stage and a file, and never ends: the tests below kill it"]
async fn upload_stops_half_way() {
    let [url, file] = [STAGE, FILE].map(|name| std::env::var(name).unwrap());
    let bytes = std::fs::read(&file).unwrap();
    let source = Source::file(&file).with_progress(|sent| {
        println!("{HALF_WAY}: {sent}");
        loop {
            std::thread::park();
        }
    });
    let stage = Stage::open_or_create(&url).unwrap();
    stage.put_blob(&Blob::of(&bytes), &source).await.unwrap();
}

/// Starts a process that uploads `file` to `stage`, and kills it half-way.
fn kill_half_way(stage: &str, file: &Path, variables: &[(&str, String)]) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::upload_stops_half_way", "--ignored", "--nocapture"])
        .envs([(STAGE, stage.as_ref()), (FILE, file.as_os_str())])
        .envs(variables.iter().cloned())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = output.find_map(|line| line.split_once(HALF_WAY).map(|(_, sent)| sent.to_owned()));
    let sent: usize = line.unwrap().trim_start_matches(": ").parse().unwrap();
    assert!(0 < sent && sent < SIZE, "{sent}");
    process.kill().unwrap();
    assert_eq!(process.wait().unwrap().code(), None);
}

async fn assert_restarts(stage: &str, variables: &[(&str, String)]) {
    let directory = tempfile::tempdir().unwrap();
    let (file, bytes) = (directory.path().join("file"), some(SIZE, 1));
    std::fs::write(&file, &bytes).unwrap();
    kill_half_way(stage, &file, variables);

    let options = StageOptions::new().with_variables(variables.iter().cloned());
    let (stage, blob) = (Stage::open_with(stage, &options).unwrap(), Blob::of(&bytes));
    let error = stage.get_blob(&blob).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::NotFound, "{error}");
    assert_eq!(stage.put_blob(&blob, &Source::file(&file)).await.unwrap(), Staged::New);
    assert_same(&stage.get_blob(&blob).await.unwrap(), &bytes);
}

#[tokio::test]
async fn killed_upload_to_bucket_restarts() {
    let server = gcs_server();
    let variables = [("STORAGE_EMULATOR_HOST", server.url())];
    assert_restarts(&format!("gs://{BUCKET}/some/prefix"), &variables).await;
    // The killed process left an orphaned upload. A lifecycle rule of the bucket aborts it, see docs/stage.md.
    assert_eq!(server.unfinished_uploads(BUCKET).len(), 1);
}

#[tokio::test]
async fn killed_upload_to_directory_restarts() {
    let directory = tempfile::tempdir().unwrap();
    assert_restarts(&format!("file://{}/stage", directory.path().display()), &[]).await;
}
