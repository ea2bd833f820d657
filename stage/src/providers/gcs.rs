//! Google Cloud Storage, by its XML API.

use std::sync::Arc;

use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder,
    GoogleConfigKey,
};
use object_store::{ClientConfigKey, ObjectStore};

use super::client::{self, client_builder};
use super::google_credentials::{GoogleCredentials, SCOPE, Translated};
use crate::error::StageError;
use crate::options::StageOptions;
use crate::store::Bucket;

const NO_CREDENTIALS: &str = "there are no Google credentials: GOOGLE_APPLICATION_CREDENTIALS names no \
                      file, gcloud has left none, and no metadata server answers";

/// Names a server for tests, by `host:port` or URL. It is asked without credentials, and so may be
/// anywhere.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

client_builder!(GoogleCloudStorageBuilder, GoogleConfigKey, GcpCredential, GoogleCloudStorage);

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let builder = match bucket.options.variable(EMULATOR) {
        Some(host) => emulator(bucket, host),
        None => with_credentials(bucket, builder(bucket, is_setting))?,
    };
    client::opened(bucket, builder)
}

fn emulator(bucket: &Bucket<'_>, host: &str) -> GoogleCloudStorageBuilder {
    let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    // A key that says so is how this client does without credentials altogether.
    let key =
        r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    builder(bucket, |key| matches!(key, GoogleConfigKey::Client(_)))
        .with_base_url(url.trim_end_matches('/'))
        .with_service_account_key(key)
}

/// A client with those of the variables `GOOGLE_*` that it knows and that `is_used`.
fn builder(
    bucket: &Bucket<'_>,
    is_used: fn(&GoogleConfigKey) -> bool,
) -> GoogleCloudStorageBuilder {
    let allow_http = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
    let variables = bucket.options.lower_case("GOOGLE_");
    client::configured(GoogleCloudStorageBuilder::new(), bucket, variables, is_used)
        // The metadata server has no TLS; the store itself is at an endpoint that is checked.
        .with_config(allow_http, "true")
        .with_bucket_name(bucket.name)
}

/// All but the bucket, which is in the URL, and the file of credentials, of whose kind the client
/// may know nothing.
fn is_setting(key: &GoogleConfigKey) -> bool {
    !matches!(key, GoogleConfigKey::Bucket | GoogleConfigKey::ApplicationCredentials)
}

fn with_credentials(
    bucket: &Bucket<'_>,
    builder: GoogleCloudStorageBuilder,
) -> Result<GoogleCloudStorageBuilder, StageError> {
    let endpoints = [(GoogleConfigKey::BaseUrl, "GOOGLE_BASE_URL")];
    let builder = client::with_checked_endpoints(bucket, builder, &endpoints)?;
    let explicit = [
        GoogleConfigKey::ServiceAccount,
        GoogleConfigKey::ServiceAccountKey,
        GoogleConfigKey::BearerToken,
    ];
    if explicit.iter().any(|key| builder.get_config_value(key).is_some()) {
        return Ok(builder);
    }
    match GoogleCredentials::find(bucket.options)? {
        GoogleCredentials::ServiceAccount { path, endpoint } => {
            if let Some(endpoint) = endpoint {
                let name = format!("gcs_base_url of {path}");
                client::check_endpoint(bucket.url, &name, &endpoint)?;
            }
            Ok(builder.with_service_account_path(path))
        }
        GoogleCredentials::User { path } => Ok(builder.with_application_credentials(path)),
        GoogleCredentials::Translated(credentials) => {
            Ok(builder.with_credentials(Arc::new(Translated::new(credentials, SCOPE))))
        }
        GoogleCredentials::Machine => {
            let machine = client::machine_credentials(bucket, &builder, NO_CREDENTIALS)?;
            Ok(builder.with_credentials(machine))
        }
    }
}

/// Who we are for services of Google's that want `scope`, where that is no service account's key.
pub(crate) fn token_provider(
    credentials: GoogleCredentials,
    scope: &'static str,
    options: &StageOptions,
) -> Result<GcpCredentialProvider, StageError> {
    // The client knows who people and machines are, for whatever bucket.
    let bucket = &Bucket { url: "gs://any", name: "any", account: None, options };
    let any = builder(bucket, |key| matches!(key, GoogleConfigKey::Client(_)));
    match credentials {
        GoogleCredentials::ServiceAccount { path, .. } => {
            client::source_of(bucket, any.with_service_account_path(path))
        }
        GoogleCredentials::User { path } => {
            client::source_of(bucket, any.with_application_credentials(path))
        }
        GoogleCredentials::Translated(file) => Ok(Arc::new(Translated::new(file, scope))),
        GoogleCredentials::Machine => client::machine_credentials(bucket, &any, NO_CREDENTIALS),
    }
}
