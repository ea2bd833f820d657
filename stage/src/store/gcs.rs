//! Google Cloud Storage, by its XML API.

use std::sync::Arc;

use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ObjectStore};

use super::client;
use super::credentials::LastResort;
use super::google_credentials::{GoogleCredentials, SCOPE, Translated};
use super::observed::Observed;
use super::open::Bucket;
use crate::error::StageError;
use crate::options::StageOptions;

const NOBODY: &str = "there are no Google credentials: GOOGLE_APPLICATION_CREDENTIALS names no \
                      file, gcloud has left none, and no metadata server answers";

/// Names a server for tests, by `host:port` or URL. It is asked without credentials, and so may be
/// anywhere.
const EMULATOR: &str = "STORAGE_EMULATOR_HOST";

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let builder = match bucket.options.variable(EMULATOR) {
        Some(host) => emulator(bucket, host),
        None => with_credentials(bucket, builder(bucket, is_setting))?,
    };
    let store = builder.build().map_err(|error| client::unusable(bucket.url, error))?;
    Ok(Arc::new(store))
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

/// A client with those of the variables `GOOGLE_*` that it knows and that `are_used`.
fn builder(
    bucket: &Bucket<'_>,
    are_used: fn(&GoogleConfigKey) -> bool,
) -> GoogleCloudStorageBuilder {
    let allow_http = GoogleConfigKey::Client(ClientConfigKey::AllowHttp);
    let settings = bucket.options.lower_case("GOOGLE_");
    let keys = settings.filter_map(|(name, value)| Some((name.parse().ok()?, value)));
    keys.filter(|(key, _)| are_used(key))
        .fold(
            GoogleCloudStorageBuilder::new().with_client_options(client::options()),
            |builder, (key, value)| builder.with_config(key, value),
        )
        // The metadata server has no TLS; the store itself is at an endpoint that is checked.
        .with_config(allow_http, "true")
        .with_retry(client::retries(bucket.options))
        .with_http_connector(Observed::of(bucket.url, bucket.name))
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
    if let Some(endpoint) = builder.get_config_value(&GoogleConfigKey::BaseUrl) {
        client::check_endpoint(bucket.url, "GOOGLE_BASE_URL", &endpoint)?;
    }
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
            let machine = of_machine(bucket, &builder)?;
            Ok(builder.with_credentials(machine))
        }
    }
}

/// Who this machine is.
fn of_machine(
    bucket: &Bucket<'_>,
    builder: &GoogleCloudStorageBuilder,
) -> Result<GcpCredentialProvider, StageError> {
    let machine = builder
        .clone()
        .with_retry(client::metadata_retries(bucket.options))
        .with_config(GoogleConfigKey::Client(ClientConfigKey::Timeout), client::metadata_timeout())
        .build()
        .map_err(|error| client::unusable(bucket.url, error))?;
    Ok(LastResort::new(Arc::clone(machine.credentials()), NOBODY))
}

/// Who we are for services of Google's that want `scope`, where that is no service account's key.
pub(crate) fn provider(
    credentials: GoogleCredentials,
    scope: &'static str,
    options: &StageOptions,
) -> Result<GcpCredentialProvider, StageError> {
    // The client knows who people and machines are, for whatever bucket.
    let bucket = &Bucket { url: "gs://any", name: "any", account: None, options };
    let any = builder(bucket, |key| matches!(key, GoogleConfigKey::Client(_)));
    let of_file = |builder: GoogleCloudStorageBuilder| {
        let built = builder.build().map_err(|error| client::unusable(bucket.url, error))?;
        Ok(Arc::clone(built.credentials()))
    };
    match credentials {
        GoogleCredentials::ServiceAccount { path, .. } => {
            of_file(any.with_service_account_path(path))
        }
        GoogleCredentials::User { path } => of_file(any.with_application_credentials(path)),
        GoogleCredentials::Translated(file) => Ok(Arc::new(Translated::new(file, scope))),
        GoogleCredentials::Machine => of_machine(bucket, &any),
    }
}
