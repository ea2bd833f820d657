//! Amazon S3 and compatible stores.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::{ClientConfigKey, ObjectStore};

use super::client::{self, client_builder};
use crate::error::{StageError, StageErrorKind};
use crate::store::Bucket;

const NO_CREDENTIALS: &str = "there are no AWS credentials: none of AWS_ACCESS_KEY_ID, \
                      AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_* is set, and no \
                      metadata server answers";

/// Variables with credentials. If none is set, credentials come from the metadata server.
const SOURCES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
];

client_builder!(AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AmazonS3);

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let has_credentials = SOURCES.iter().any(|name| bucket.options.variable(name).is_some());
    if !has_credentials {
        reject_profiles(bucket)?;
    }
    let variables = bucket.options.lower_case("AWS_");
    let builder = client::configured(AmazonS3Builder::new(), bucket, variables, is_setting)
        .with_bucket_name(bucket.name);
    let endpoints = [
        (AmazonS3ConfigKey::S3Endpoint, "AWS_ENDPOINT_URL_S3"),
        (AmazonS3ConfigKey::Endpoint, "AWS_ENDPOINT_URL"),
    ];
    let mut builder = client::with_checked_endpoints(bucket, builder, &endpoints)?;
    if !has_credentials {
        let machine = client::machine_credentials(bucket, &builder, NO_CREDENTIALS)?;
        builder = builder.with_credentials(machine);
    }
    client::opened(bucket, builder)
}

/// Returns whether a variable may set `key`: not the bucket, which the URL names, and not plain HTTP,
/// which the endpoint decides.
fn is_setting(key: &AmazonS3ConfigKey) -> bool {
    let allow_http = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    *key != AmazonS3ConfigKey::Bucket && *key != allow_http
}

/// Rejects a configuration with profiles of AWS's tools. hype doesn't read profiles, and to ignore them could
/// select the machine's role instead of the user's intended credentials.
fn reject_profiles(bucket: &Bucket<'_>) -> Result<(), StageError> {
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
    Err(StageError::new(StageErrorKind::Denied, message)
        .hint("put them into variables: eval \"$(aws configure export-credentials --format env)\""))
}
