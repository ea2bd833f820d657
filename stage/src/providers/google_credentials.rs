//! Finds Google's application default credentials and their kind.
//!
//! The storage client supports keys of service accounts, user credentials and the metadata server. Google's crate
//! supports workload identity federation and impersonation.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use google_cloud_auth::credentials::{AccessTokenCredentials, external_account, impersonated};
use object_store::CredentialProvider;
use object_store::gcp::GcpCredential;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::credentials::NoCredentials;
use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;

/// The scope that a stage needs.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// The source of credentials.
pub(crate) enum GoogleCredentials {
    /// The key of a service account. It may name an endpoint, as the keys of test servers do.
    ServiceAccount { path: String, endpoint: Option<String> },
    /// The credentials of a user who logged in.
    User { path: String },
    /// A file of a kind that only Google's crate supports.
    External(ExternalFile),
    /// The machine's metadata server.
    Machine,
}

/// A credentials file of a kind that the storage client doesn't support.
#[derive(Clone)]
pub(crate) struct ExternalFile {
    kind: ExternalKind,
    path: PathBuf,
    content: Value,
}

#[derive(Debug, Clone, Copy)]
enum ExternalKind {
    ExternalAccount,
    Impersonated,
}

impl GoogleCredentials {
    /// Finds the application default credentials by the variables of `options`.
    pub(crate) fn find(options: &StageOptions) -> Result<Self, StageError> {
        let Some((path, is_named)) = file(options) else {
            return Ok(Self::Machine);
        };
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if !is_named && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::Machine);
            }
            Err(error) => return Err(unusable(&path, "cannot be read", error)),
        };
        let content: Value = serde_json::from_slice(&content)
            .map_err(|error| unusable(&path, "are not JSON", error))?;
        Self::of_content(path, content)
    }

    fn of_content(path: PathBuf, content: Value) -> Result<Self, StageError> {
        let name = || path.to_string_lossy().into_owned();
        let kind = match content["type"].as_str() {
            Some("service_account") | None => {
                let endpoint = content["gcs_base_url"].as_str().map(str::to_owned);
                return Ok(Self::ServiceAccount { path: name(), endpoint });
            }
            Some("authorized_user") => return Ok(Self::User { path: name() }),
            Some("external_account") => ExternalKind::ExternalAccount,
            Some("impersonated_service_account") => ExternalKind::Impersonated,
            Some(other) => {
                let message = format!(
                    "hype cannot use Google credentials of the kind {other} ({})",
                    path.display()
                );
                return Err(StageError::new(StageErrorKind::Denied, message).hint(
                    "it can use: service_account, authorized_user, external_account, \
                     impersonated_service_account; create them with `gcloud auth \
                     application-default login`, and --impersonate-service-account to act as an account",
                ));
            }
        };
        Ok(Self::External(ExternalFile { kind, path, content }))
    }
}

/// Returns the path of the credentials file, and whether a variable names it explicitly.
fn file(options: &StageOptions) -> Option<(PathBuf, bool)> {
    if let Some(path) = options.variable("GOOGLE_APPLICATION_CREDENTIALS") {
        return Some((path.into(), true));
    }
    let directory = match options.variable("CLOUDSDK_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None if cfg!(windows) => Path::new(options.variable("APPDATA")?).join("gcloud"),
        None => Path::new(options.variable("HOME")?).join(".config/gcloud"),
    };
    Some((directory.join("application_default_credentials.json"), false))
}

fn unusable(
    path: &Path,
    problem: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StageError {
    let message = format!("the Google credentials {} {problem}", path.display());
    StageError::new(StageErrorKind::Denied, message).because(source)
}

/// The credentials of an external file, through Google's crate.
pub(super) struct ExternalCredentials {
    file: ExternalFile,
    scope: &'static str,
    /// Created at the first use, since it spawns a task that renews the token.
    credentials: OnceCell<AccessTokenCredentials>,
}

impl ExternalCredentials {
    pub(super) fn new(file: ExternalFile, scope: &'static str) -> Self {
        Self { file, scope, credentials: OnceCell::new() }
    }

    async fn token(&self) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let create = async || match self.file.kind {
            ExternalKind::ExternalAccount => {
                external_account::Builder::new(self.file.content.clone())
                    .with_scopes([self.scope])
                    .build_access_token_credentials()
            }
            ExternalKind::Impersonated => impersonated::Builder::new(self.file.content.clone())
                .with_scopes([self.scope])
                .build_access_token_credentials(),
        };
        let credentials = self.credentials.get_or_try_init(create).await?;
        Ok(credentials.access_token().await?.token)
    }
}

impl fmt::Debug for ExternalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalCredentials({:?} {})", self.file.kind, self.file.path.display())
    }
}

impl CredentialProvider for ExternalCredentials {
    type Credential = GcpCredential;

    fn get_credential<'a, 'b>(&'a self) -> BoxFuture<'b, object_store::Result<Arc<GcpCredential>>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            // Google's crate retries by itself.
            let bearer = self.token().await.map_err(|source| {
                let path = self.file.path.display();
                NoCredentials::error(format!("the Google credentials {path} give no token"), source)
            })?;
            Ok(Arc::new(GcpCredential { bearer }))
        })
    }
}
