//! The table of storage providers, and their clients, which are configured by the providers' usual variables.
//!
//! To add a provider, add an entry to [`PROVIDERS`], a module that opens its buckets, and a feature to each crate.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "aws")]
mod s3;

#[cfg(feature = "cloud")]
pub(crate) mod client;
#[cfg(feature = "cloud")]
mod credentials;
#[cfg(feature = "gcs")]
mod google_account;
#[cfg(feature = "gcs")]
mod google_credentials;
#[cfg(feature = "cloud")]
mod observed;

#[cfg(feature = "gcs")]
pub(crate) use gcs::token_provider;
#[cfg(feature = "gcs")]
pub(crate) use google_account::GoogleAccount;
#[cfg(feature = "gcs")]
pub(crate) use google_credentials::GoogleCredentials;

use crate::provider::{Emulator, Hints, Provider, Variables};
use crate::store_error::Operation;

/// All storage providers.
pub(crate) static PROVIDERS: &[Provider] = &[
    Provider {
        feature: "gcs",
        schemes: &["gs"],
        form: "gs://bucket/prefix",
        account_domains: &[],
        variables: Variables {
            endpoints: &["STORAGE_EMULATOR_HOST", "GOOGLE_BASE_URL"],
            emulator: None,
            settings: &["GOOGLE_SKIP_SIGNATURE"],
            secrets: &["GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT_KEY"],
            secret_files: &[
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_PATH",
            ],
            key_file: Some("GOOGLE_APPLICATION_CREDENTIALS"),
        },
        hints: Hints {
            creation: "gcloud storage buckets create gs://BUCKET",
            login: "run `gcloud auth application-default login`, or name the key file of a service \
                    account in GOOGLE_APPLICATION_CREDENTIALS",
            region: None,
            permission: |operation| match operation {
                Operation::Read | Operation::LookFor => {
                    "storage.objects.get and storage.objects.list"
                }
                Operation::Write => "storage.objects.create and storage.objects.delete",
                Operation::List => "storage.objects.list",
                Operation::Remove => "storage.objects.list and storage.objects.delete",
            },
            grant: "which the role roles/storage.objectUser on the bucket grants",
        },
        #[cfg(feature = "gcs")]
        open: Some(gcs::open),
        #[cfg(not(feature = "gcs"))]
        open: None,
    },
    Provider {
        feature: "aws",
        schemes: &["s3"],
        form: "s3://bucket/prefix",
        account_domains: &[],
        variables: Variables {
            endpoints: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
            emulator: None,
            settings: &[
                "AWS_REGION",
                "AWS_DEFAULT_REGION",
                "AWS_SKIP_SIGNATURE",
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
            ],
            secrets: &[
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_TOKEN",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_SSE_CUSTOMER_KEY_BASE64",
            ],
            secret_files: &[
                "AWS_CONFIG_FILE",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                "AWS_SHARED_CREDENTIALS_FILE",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
            ],
            key_file: None,
        },
        hints: Hints {
            creation: "aws s3 mb s3://BUCKET",
            login: "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a session, \
                    AWS_SESSION_TOKEN: eval \"$(aws configure export-credentials --format env)\"",
            region: Some(
                "set AWS_REGION to the bucket's region, which `aws s3api get-bucket-location \
                 --bucket BUCKET` prints",
            ),
            permission: |operation| match operation {
                Operation::Read => "s3:GetObject",
                Operation::LookFor => "s3:GetObject and s3:ListBucket",
                Operation::Write => "s3:PutObject and s3:AbortMultipartUpload",
                Operation::List => "s3:ListBucket",
                Operation::Remove => "s3:ListBucket and s3:DeleteObject",
            },
            grant: "by a policy of the user, the role or the bucket",
        },
        #[cfg(feature = "aws")]
        open: Some(s3::open),
        #[cfg(not(feature = "aws"))]
        open: None,
    },
    Provider {
        feature: "azure",
        schemes: &["az", "abfs", "abfss"],
        form: "az://container/prefix or abfss://container@account.dfs.core.windows.net/prefix",
        account_domains: &["dfs.core.windows.net", "blob.core.windows.net"],
        variables: Variables {
            endpoints: &["AZURITE_BLOB_STORAGE_URL", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
            emulator: Some(Emulator {
                switch: "AZURE_STORAGE_USE_EMULATOR",
                variable: "AZURITE_BLOB_STORAGE_URL",
                endpoint: "http://127.0.0.1:10000",
            }),
            settings: &[
                "AZURE_STORAGE_ACCOUNT_NAME",
                "AZURE_STORAGE_USE_EMULATOR",
                "AZURE_SKIP_SIGNATURE",
            ],
            secrets: &[
                "AZURE_CLIENT_SECRET",
                "AZURE_FABRIC_SESSION_TOKEN",
                "AZURE_STORAGE_ACCESS_KEY",
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_CLIENT_SECRET",
                "AZURE_STORAGE_CONNECTION_STRING",
                "AZURE_STORAGE_ENCRYPTION_KEY",
                "AZURE_STORAGE_MASTER_KEY",
                "AZURE_STORAGE_SAS_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_TOKEN",
                "IDENTITY_HEADER",
            ],
            secret_files: &["AZURE_FEDERATED_TOKEN_FILE"],
            key_file: None,
        },
        hints: Hints {
            creation: "az storage container create --name CONTAINER",
            login: "set AZURE_STORAGE_ACCOUNT_KEY, or AZURE_CLIENT_ID, AZURE_TENANT_ID and \
                    AZURE_CLIENT_SECRET; after `az login` AZURE_USE_AZURE_CLI=true",
            region: None,
            permission: |_| "Storage Blob Data Contributor",
            grant: "a role on the container or its storage account",
        },
        #[cfg(feature = "azure")]
        open: Some(azure::open),
        #[cfg(not(feature = "azure"))]
        open: None,
    },
];
