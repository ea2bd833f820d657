//! Transfers 1 GiB to and from the test server, with a stage and with object_store alone: `cargo bench -p bench-stage`.
//!
//! The server and each transfer run in separate processes, to measure the peak memory of each. The kinds of transfer
//! alternate for three rounds, and the best round of each counts.

#![expect(clippy::print_stdout, reason = "the program prints its results")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bench_stage::measure::{peak_memory, write_file};
use futures::StreamExt;
use hype_stage::{Source, Stage};
use hype_wire::{Blob, BlobHasher};
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, WriteMultipart};
use test_storage_server::{Settings, StorageServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SIZE: usize = 1 << 30;
const ROUNDS: usize = 3;
const BUCKET: &str = "bucket";
const PART: usize = 8 << 20;

/// The first argument of a process of this program, which selects its transfer.
const ROLES: [&str; 4] = ["bare-upload", "stage-upload", "bare-download", "stage-download"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("server") => serve(),
        Some(role) if ROLES.contains(&role) => transfer(role, Path::new(&arguments[2])),
        // cargo passes `--bench`.
        _ => compare(),
    }
}

/// Serves until standard input is closed.
fn serve() {
    let server = StorageServer::start(&Settings::new().with_bucket(BUCKET)).unwrap();
    println!("{}", server.url());
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        // Each line requests the deletion of all objects.
        for name in server.names(BUCKET) {
            server.remove_object(BUCKET, &name);
        }
        println!("{}", server.url());
        line.clear();
    }
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    write_file(&file, SIZE).unwrap();
    let mut server = start("server", &[], &[]);
    let mut responses = BufReader::new(server.stdout.take().unwrap());
    let mut requests = server.stdin.take();
    let url = line(&mut responses);
    let mut best = ROLES.map(|role| (role, f64::INFINITY, 0));
    for _ in 0..ROUNDS {
        for (role, seconds, memory) in &mut best {
            if role.ends_with("upload") {
                writeln!(requests.as_mut().unwrap()).unwrap();
                line(&mut responses);
            }
            let variables = [("STORAGE_EMULATOR_HOST", url.as_str())];
            let mut child = start(role, &[file.to_str().unwrap()], &variables);
            let result = line(&mut BufReader::new(child.stdout.take().unwrap()));
            assert!(child.wait().unwrap().success(), "{role}");
            let (took, peak) = result.split_once(' ').unwrap();
            *seconds = seconds.min(took.parse().unwrap());
            *memory = (*memory).max(peak.parse::<u64>().unwrap());
        }
    }
    drop(requests);
    server.wait().unwrap();
    for (role, seconds, memory) in &best {
        let rate = (SIZE >> 20) as f64 / seconds;
        println!("{role:16} {seconds:6.2} s  {rate:6.0} MiB/s  peak {memory:4} MiB");
    }
    println!("upload: {:.2} × bare", best[0].1 / best[1].1);
    println!("download: {:.2} × bare", best[2].1 / best[3].1);
}

fn start(role: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg(role)
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn transfer(role: &str, file: &Path) {
    let blob = blob_of(file);
    let target = file.with_extension("back");
    // Removes the file of the previous round.
    let _ = std::fs::remove_file(&target);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let seconds = runtime.block_on(async {
        let stage = Stage::open(&format!("gs://{BUCKET}/prefix")).unwrap();
        let (bare, path) = (bare(), ObjectPath::from(format!("prefix/blobs/{}", blob.digest)));
        let started = Instant::now();
        match role {
            "bare-upload" => bare_upload(&bare, &path, file).await,
            "stage-upload" => drop(stage.put_blob(&blob, &Source::file(file)).await.unwrap()),
            "bare-download" => bare_download(&bare, &path, &target).await,
            _ => stage.save_blob(&blob, &target).await.unwrap(),
        }
        started.elapsed().as_secs_f64()
    });
    println!("{seconds} {}", peak_memory().unwrap_or_default());
}

fn blob_of(path: &Path) -> Blob {
    let mut file = std::fs::File::open(path).unwrap();
    let (mut hasher, mut buffer) = (BlobHasher::default(), vec![0; 1 << 20]);
    loop {
        match std::io::Read::read(&mut file, &mut buffer).unwrap() {
            0 => return hasher.finish(),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn bare() -> GoogleCloudStorage {
    let url = std::env::var("STORAGE_EMULATOR_HOST").unwrap();
    let key = format!(
        r#"{{"gcs_base_url": "{url}", "disable_oauth": true, "client_email": "", "private_key": "",
            "private_key_id": ""}}"#
    );
    GoogleCloudStorageBuilder::new()
        .with_bucket_name(BUCKET)
        .with_service_account_key(key)
        .build()
        .unwrap()
}

/// Uploads the file as object_store's documentation shows.
async fn bare_upload(store: &GoogleCloudStorage, path: &ObjectPath, file: &Path) {
    let mut file = tokio::fs::File::open(file).await.unwrap();
    file.set_max_buf_size(PART);
    let upload = store.put_multipart(path).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
    loop {
        let mut bytes = Vec::with_capacity(PART);
        (&mut file).take(PART as u64).read_to_end(&mut bytes).await.unwrap();
        if bytes.is_empty() {
            break;
        }
        upload.wait_for_capacity(8).await.unwrap();
        upload.put(bytes.into());
    }
    upload.finish().await.unwrap();
}

async fn bare_download(store: &GoogleCloudStorage, path: &ObjectPath, file: &Path) {
    let mut bytes = store.get(path).await.unwrap().into_stream();
    let mut file = tokio::fs::File::create(file).await.unwrap();
    while let Some(bytes) = bytes.next().await {
        file.write_all(&bytes.unwrap()).await.unwrap();
    }
    file.flush().await.unwrap();
}
