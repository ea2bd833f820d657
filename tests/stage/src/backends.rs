//! The backends on which the cases run.

use std::any::Any;
use std::time::Duration;

use hype_stage::{Stage, StageError, StageOptions};
use tempfile::TempDir;
use test_storage_server::{Settings, StorageServer};

use crate::s3::S3Server;

/// The bucket of the test servers.
pub const BUCKET: &str = "bucket";

/// A stage and the server or directory behind it.
pub struct Backend {
    /// A stage for one case.
    pub stage: Stage,
    _server: Box<dyn Any + Send>,
}

impl Backend {
    /// Creates a backend that keeps `server` alive.
    pub fn new(stage: Stage, server: impl Any + Send) -> Self {
        Self { stage, _server: Box::new(server) }
    }
}

/// Runs a case on a new stage.
pub fn run(open: impl FnOnce() -> Backend, case: impl AsyncFnOnce(&Stage)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let backend = open();
        case(&backend.stage).await;
    });
}

/// Opens a stage in a new directory.
pub fn file() -> Backend {
    let directory = TempDir::new().expect("a directory");
    let stage = Stage::in_directory(directory.path()).expect("a stage");
    Backend::new(stage, directory)
}

/// Opens a new stage in memory.
pub fn memory() -> Backend {
    static STAGES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = STAGES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let stage = Stage::open(&format!("memory://case-{number}/prefix")).expect("a stage");
    Backend::new(stage, ())
}

/// Opens a stage on a new test server for Google Cloud Storage.
pub fn gcs() -> Backend {
    let server = gcs_server();
    Backend::new(gcs_stage(&server).expect("a stage"), server)
}

/// Starts a test server for Google Cloud Storage with the bucket [`BUCKET`].
pub fn gcs_server() -> StorageServer {
    StorageServer::start(&Settings::new().with_bucket(BUCKET)).expect("a server")
}

/// Opens a stage in the bucket of `server`.
///
/// # Errors
///
/// Returns an error if the stage can't be opened.
pub fn gcs_stage(server: &StorageServer) -> Result<Stage, StageError> {
    let options = StageOptions::new().with_variables([("STORAGE_EMULATOR_HOST", server.url())]);
    Stage::open_with(&format!("gs://{BUCKET}/some/prefix"), &options)
}

/// Opens a stage below a new prefix of the container in `AZURE_CONTAINER_NAME`.
pub fn azure() -> Backend {
    let container = std::env::var("AZURE_CONTAINER_NAME").expect("AZURE_CONTAINER_NAME");
    let prefix = TempDir::new().expect("a unique name");
    let name = prefix.path().file_name().expect("a name").to_string_lossy();
    let stage = Stage::open(&format!("az://{container}/{name}")).expect("a stage");
    Backend::new(stage, prefix)
}

/// Opens a stage on a new S3 server.
pub fn s3() -> Backend {
    let server = S3Server::start(BUCKET).expect("a server");
    let options = StageOptions::new()
        .with_variables(server.variables())
        .with_retry_for(Duration::from_secs(30));
    let stage = Stage::open_with(&format!("s3://{BUCKET}/some/prefix"), &options);
    Backend::new(stage.expect("a stage"), server)
}
