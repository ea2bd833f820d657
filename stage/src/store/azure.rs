//! Azure Blob Storage.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, ObjectStore};

use super::client;
use super::credentials::LastResort;
use super::observed::Observed;
use super::open::Bucket;
use crate::error::{StageError, StageErrorKind};

const NOBODY: &str = "there are no Azure credentials: none of AZURE_STORAGE_ACCOUNT_KEY, \
                      AZURE_STORAGE_SAS_KEY, AZURE_CLIENT_SECRET and AZURE_FEDERATED_TOKEN_FILE \
                      (with AZURE_CLIENT_ID and AZURE_TENANT_ID) is set, and no metadata server \
                      answers";

/// Settings one of which is there where credentials don't come from the machine.
const SOURCES: &[AzureConfigKey] = &[
    AzureConfigKey::AccessKey,
    AzureConfigKey::ClientSecret,
    AzureConfigKey::FederatedTokenFile,
    AzureConfigKey::SasKey,
    AzureConfigKey::Token,
];

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let mut builder = builder(bucket);
    let is_set = |builder: &MicrosoftAzureBuilder, key| {
        builder.get_config_value(&key).is_some_and(|value: String| value.parse() == Ok(true))
    };
    let is_emulator = is_set(&builder, AzureConfigKey::UseEmulator);
    if !is_emulator && builder.get_config_value(&AzureConfigKey::AccountName).is_none() {
        let message = format!("{} names no storage account", bucket.url);
        return Err(StageError::new(StageErrorKind::Location, message).with_hint(
            "set AZURE_STORAGE_ACCOUNT_NAME, or write \
             abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX",
        ));
    }
    if let Some(endpoint) = builder.get_config_value(&AzureConfigKey::Endpoint) {
        client::check_endpoint(bucket.url, "AZURE_STORAGE_ENDPOINT", &endpoint)?;
        if endpoint.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
    }
    let is_elsewhere = is_emulator
        || is_set(&builder, AzureConfigKey::UseAzureCli)
        || is_set(&builder, AzureConfigKey::SkipSignature)
        || SOURCES.iter().any(|key| builder.get_config_value(key).is_some());
    if !is_elsewhere {
        let machine = builder
            .clone()
            .with_retry(client::metadata_retries(bucket.options))
            .with_config(
                AzureConfigKey::Client(ClientConfigKey::Timeout),
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

fn builder(bucket: &Bucket<'_>) -> MicrosoftAzureBuilder {
    let start = MicrosoftAzureBuilder::new()
        .with_client_options(client::options())
        .with_retry(client::retries(bucket.options))
        .with_http_connector(Observed::of(bucket.url, bucket.name));
    let settings = bucket.options.lower_case("AZURE_").chain(
        // As App Service and Container Apps name their metadata server.
        bucket.options.lower_case("IDENTITY_ENDPOINT"),
    );
    let keys = settings.filter_map(|(name, value)| Some((name.parse().ok()?, value)));
    let builder = keys
        .filter(|(key, _)| !is_decided_here(key))
        .fold(start, |builder, (key, value)| builder.with_config(key, value))
        .with_container_name(bucket.name);
    match bucket.account {
        Some(account) => builder.with_account(account),
        None => builder,
    }
}

/// What the URL says, or is decided by the endpoint.
fn is_decided_here(key: &AzureConfigKey) -> bool {
    let allow_http = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
    *key == AzureConfigKey::ContainerName || *key == allow_http
}
