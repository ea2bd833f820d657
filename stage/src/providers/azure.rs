//! Azure Blob Storage.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, ObjectStore};

use super::client::{self, client_builder};
use crate::error::{StageError, StageErrorKind};
use crate::store::Bucket;

const NO_CREDENTIALS: &str = "there are no Azure credentials: none of AZURE_STORAGE_ACCOUNT_KEY, \
                      AZURE_STORAGE_SAS_KEY, AZURE_CLIENT_SECRET and AZURE_FEDERATED_TOKEN_FILE \
                      (with AZURE_CLIENT_ID and AZURE_TENANT_ID) is set, and no metadata server \
                      answers";

/// Settings with credentials. If none is set, credentials come from the metadata server.
const SOURCES: &[AzureConfigKey] = &[
    AzureConfigKey::AccessKey,
    AzureConfigKey::ClientSecret,
    AzureConfigKey::FederatedTokenFile,
    AzureConfigKey::SasKey,
    AzureConfigKey::Token,
];

client_builder!(MicrosoftAzureBuilder, AzureConfigKey, AzureCredential, MicrosoftAzure);

pub(super) fn open(bucket: &Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError> {
    let builder = builder(bucket);
    let is_set = |key| {
        let value: Option<String> = builder.get_config_value(&key);
        value.is_some_and(|value| value.parse() == Ok(true))
    };
    let is_emulator = is_set(AzureConfigKey::UseEmulator);
    let has_credentials = is_emulator
        || is_set(AzureConfigKey::UseAzureCli)
        || is_set(AzureConfigKey::SkipSignature)
        || SOURCES.iter().any(|key| builder.get_config_value(key).is_some());
    if !is_emulator && builder.get_config_value(&AzureConfigKey::AccountName).is_none() {
        let message = format!("{} names no storage account", bucket.url);
        return Err(StageError::new(StageErrorKind::Location, message).hint(
            "set AZURE_STORAGE_ACCOUNT_NAME, or write \
             abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX",
        ));
    }
    let endpoints = [(AzureConfigKey::Endpoint, "AZURE_STORAGE_ENDPOINT")];
    let mut builder = client::with_checked_endpoints(bucket, builder, &endpoints)?;
    if !has_credentials {
        let machine = client::machine_credentials(bucket, &builder, NO_CREDENTIALS)?;
        builder = builder.with_credentials(machine);
    }
    client::opened(bucket, builder)
}

fn builder(bucket: &Bucket<'_>) -> MicrosoftAzureBuilder {
    // App Service and Container Apps set their metadata server by this variable.
    let metadata = bucket.options.variable("IDENTITY_ENDPOINT");
    let metadata = metadata.map(|endpoint| ("identity_endpoint".to_owned(), endpoint));
    let variables = bucket.options.lower_case("AZURE_").chain(metadata);
    let builder = client::configured(MicrosoftAzureBuilder::new(), bucket, variables, is_setting)
        .with_container_name(bucket.name);
    match bucket.account {
        Some(account) => builder.with_account(account),
        None => builder,
    }
}

/// Returns whether a variable may set `key`: not the container, which the URL names, and not plain HTTP,
/// which the endpoint decides.
fn is_setting(key: &AzureConfigKey) -> bool {
    let allow_http = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
    *key != AzureConfigKey::ContainerName && *key != allow_http
}
