//! Google Cloud Storage, over its XML API.

use std::sync::Arc;

use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder,
    GoogleConfigKey,
};
use object_store::{ClientConfigKey, ObjectStore};

use super::client::{self, client_builder};
use super::google_credentials::{ExternalCredentials, GoogleCredentials, SCOPE};
use crate::error::StageError;
use crate::options::StageOptions;
use crate::store::Bucket;

const NO_CREDENTIALS: &str = "there are no Google credentials: GOOGLE_APPLICATION_CREDENTIALS names no \
                      file, gcloud has left none, and no metadata server answers";

/// The variable with an emulator, as `host:port` or URL. It gets no credentials, so plain HTTP to other machines
/// is allowed.
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
    // This key disables the client's authentication.
    let key =
        r#"{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}"#;
    builder(bucket, |key| matches!(key, GoogleConfigKey::Client(_)))
        .with_base_url(url.trim_end_matches('/'))
        .with_service_account_key(key)
}

/// Returns a builder configured with the variables `GOOGLE_*` that `is_used` accepts.
fn builder(
    bucket: &Bucket<'_>,
    is_used: fn(&GoogleConfigKey) -> bool,
) -> GoogleCloudStorageBuilder {
    let allow_http = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
    let variables = bucket.options.lower_case("GOOGLE_");
    client::configured(GoogleCloudStorageBuilder::new(), bucket, variables, is_used)
        // The metadata server has no TLS. The store's endpoint is checked separately.
        .with_config(allow_http, "true")
        .with_bucket_name(bucket.name)
}

/// Returns whether a variable may set `key`: not the bucket, which the URL names, and not the credentials file,
/// whose kind the client may not support.
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
        GoogleCredentials::External(file) => {
            Ok(builder.with_credentials(Arc::new(ExternalCredentials::new(file, SCOPE))))
        }
        GoogleCredentials::Machine => {
            let machine = client::machine_credentials(bucket, &builder, NO_CREDENTIALS)?;
            Ok(builder.with_credentials(machine))
        }
    }
}

/// Returns a provider of tokens with `scope` for Google's services.
pub(crate) fn token_provider(
    credentials: GoogleCredentials,
    scope: &'static str,
    options: &StageOptions,
) -> Result<GcpCredentialProvider, StageError> {
    // The credentials of the storage client are independent of the bucket.
    let bucket = &Bucket { url: "gs://any", name: "any", account: None, options };
    let any = builder(bucket, |key| matches!(key, GoogleConfigKey::Client(_)));
    match credentials {
        GoogleCredentials::ServiceAccount { path, .. } => {
            client::source_of(bucket, any.with_service_account_path(path))
        }
        GoogleCredentials::User { path } => {
            client::source_of(bucket, any.with_application_credentials(path))
        }
        GoogleCredentials::External(file) => Ok(Arc::new(ExternalCredentials::new(file, scope))),
        GoogleCredentials::Machine => client::machine_credentials(bucket, &any, NO_CREDENTIALS),
    }
}
