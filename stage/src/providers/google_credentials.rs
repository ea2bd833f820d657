//! Google's application default credentials: where they are, and of what kind.
//!
//! Keys of service accounts, users and the metadata server are the store's own. Workload identity
//! federation and impersonation go through Google's crate.

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

/// What the stage needs.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// Who says who we are.
pub(crate) enum GoogleCredentials {
    /// The key of a service account, which may name an endpoint, as those for test servers do.
    ServiceAccount { path: String, endpoint: Option<String> },
    /// What a person has who logged in.
    User { path: String },
    /// A file for Google's crate.
    Translated(ExternalFile),
    /// The machine's metadata server.
    Machine,
}

/// A credentials file of a kind that the store doesn't know.
#[derive(Clone)]
pub(crate) struct ExternalFile {
    kind: Kind,
    path: PathBuf,
    content: Value,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    ExternalAccount,
    Impersonated,
}

impl GoogleCredentials {
    /// The application default credentials by these variables.
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
            Some("external_account") => Kind::ExternalAccount,
            Some("impersonated_service_account") => Kind::Impersonated,
            Some(other) => {
                let message = format!(
                    "hype cannot use Google credentials of the kind {other} ({})",
                    path.display()
                );
                return Err(StageError::new(StageErrorKind::Denied, message).hint(
                    "it can use: service_account, authorized_user, external_account, \
                     impersonated_service_account; `gcloud auth application-default login` makes \
                     such, with --impersonate-service-account where a person acts for an account",
                ));
            }
        };
        Ok(Self::Translated(ExternalFile { kind, path, content }))
    }
}

/// The credentials file, and whether it is there because somebody named it.
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

/// The credentials of a file, through Google's crate.
pub(super) struct Translated {
    file: ExternalFile,
    scope: &'static str,
    /// Made when it is first used, since it begins a task that keeps its token fresh.
    credentials: OnceCell<AccessTokenCredentials>,
}

impl Translated {
    pub(super) fn new(file: ExternalFile, scope: &'static str) -> Self {
        Self { file, scope, credentials: OnceCell::new() }
    }

    async fn token(&self) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let make = async || match self.file.kind {
            Kind::ExternalAccount => external_account::Builder::new(self.file.content.clone())
                .with_scopes([self.scope])
                .build_access_token_credentials(),
            Kind::Impersonated => impersonated::Builder::new(self.file.content.clone())
                .with_scopes([self.scope])
                .build_access_token_credentials(),
        };
        let credentials = self.credentials.get_or_try_init(make).await?;
        Ok(credentials.access_token().await?.token)
    }
}

impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Translated({:?} {})", self.file.kind, self.file.path.display())
    }
}

impl CredentialProvider for Translated {
    type Credential = GcpCredential;

    fn get_credential<'a, 'b>(&'a self) -> BoxFuture<'b, object_store::Result<Arc<GcpCredential>>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            // That crate tries again by itself.
            let bearer = self.token().await.map_err(|source| {
                let path = self.file.path.display();
                let nobody = format!("the Google credentials {path} give no token");
                NoCredentials::error(nobody, source)
            })?;
            Ok(Arc::new(GcpCredential { bearer }))
        })
    }
}
