//! Amazon S3, and what speaks its protocol.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientConfigKey, ObjectStore};

use super::client;
use super::credentials::LastResort;
use super::observed::Observed;
use super::open::Bucket;
use crate::error::{StageError, StageErrorKind};

const NOBODY: &str = "there are no AWS credentials: none of AWS_ACCESS_KEY_ID, \
                      AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_* is set, and no \
                      metadata server answers";

/// Variables one of which is set where credentials don't come from the machine.
const SOURCES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let is_elsewhere = SOURCES.iter().any(|name| bucket.options.variable(name).is_some());
    if !is_elsewhere {
        refuse_files(bucket)?;
    }
    let mut builder = builder(bucket);
    let mut is_plain = false;
    for (key, name) in [
        (AmazonS3ConfigKey::S3Endpoint, "AWS_ENDPOINT_URL_S3"),
        (AmazonS3ConfigKey::Endpoint, "AWS_ENDPOINT_URL"),
    ] {
        if let Some(endpoint) = builder.get_config_value(&key) {
            client::check_endpoint(bucket.url, name, &endpoint)?;
            is_plain |= endpoint.starts_with("http://");
        }
    }
    if is_plain {
        let allow = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
        builder = builder.with_config(allow, "true");
    }
    if !is_elsewhere {
        let machine = builder
            .clone()
            .with_retry(client::metadata_retries(bucket.options))
            .with_config(
                AmazonS3ConfigKey::Client(ClientConfigKey::Timeout),
                client::metadata_timeout(),
            )
            .build()
            .map_err(|error| client::unusable(bucket.url, error))?;
        let machine = Arc::clone(machine.credentials());
        builder = builder.with_credentials(LastResort::new(machine, NOBODY));
    }
    let store = builder.build().map_err(|error| client::unusable(bucket.url, error))?;
    Ok(Arc::new(store))
}

fn builder(bucket: &Bucket<'_>) -> AmazonS3Builder {
    let start = AmazonS3Builder::new()
        .with_client_options(client::options())
        .with_retry(client::retries(bucket.options))
        .with_http_connector(Observed::of(bucket.url, bucket.name));
    let settings = bucket.options.lower_case("AWS_");
    let keys = settings.filter_map(|(name, value)| Some((name.parse().ok()?, value)));
    keys.filter(|(key, _)| !is_decided_here(key))
        .fold(start, |builder, (key, value)| builder.with_config(key, value))
        .with_bucket_name(bucket.name)
}

/// What the URL says, or is decided by the endpoint.
fn is_decided_here(key: &AmazonS3ConfigKey) -> bool {
    let allow_http = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    *key == AmazonS3ConfigKey::Bucket || *key == allow_http
}

/// Refuses to pass over the files of AWS's tools, which come before the machine's credentials and
/// which hype doesn't read: a machine's role may be somebody else than the user means.
fn refuse_files(bucket: &Bucket<'_>) -> Result<(), StageError> {
    let found = match (bucket.options.variable("AWS_PROFILE"), bucket.options.variable("HOME")) {
        (Some(profile), _) => format!("AWS_PROFILE is `{profile}`"),
        (None, Some(home)) => {
            let files =
                ["credentials", "config"].map(|name| Path::new(home).join(".aws").join(name));
            match files.into_iter().find(|file| file.is_file()) {
                Some(file) => format!("there is {}", file.display()),
                None => return Ok(()),
            }
        }
        (None, None) => return Ok(()),
    };
    let message = format!(
        "{found}, and hype reads no profiles: it has no AWS credentials for {}",
        bucket.url
    );
    Err(StageError::new(StageErrorKind::Denied, message).with_hint(
        "put them into variables: eval \"$(aws configure export-credentials --format env)\"",
    ))
}
