//! object_store's integration suite, which its authors run against Google Cloud Storage.

use object_store::gcp::GoogleCloudStorage;
use object_store::integration as suite;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutPayload};
use test_storage_server::{Settings, StorageServer};

fn server() -> StorageServer {
    // The suite reads old generations, which only a bucket with versioning keeps.
    StorageServer::start(&Settings::new().with_versioned_bucket("bucket")).unwrap()
}

fn store(server: &StorageServer, bucket: &str) -> GoogleCloudStorage {
    crate::client(bucket).with_service_account_key(server.open_account()).build().unwrap()
}

/// Generates a test for each case, each with a new server.
macro_rules! suite {
    (|$store:ident| $($case:ident($($argument:expr),*);)*) => {$(
        #[tokio::test]
        async fn $case() {
            let server = server();
            let $store = &store(&server, "bucket");
            suite::$case($($argument),*).await;
        }
    )*};
}

suite! { |store|
    copy_if_not_exists(store);
    copy_rename_nonexistent_object(store);
    get_opts(store);
    list_paginated(store, store);
    list_uses_directories_correctly(store);
    list_with_delimiter(store);
    list_with_offset_exclusivity(store);
    multipart(store, store);
    multipart_out_of_order(store);
    multipart_put_part_out_of_order(store, store);
    multipart_race_condition(store, true);
    multipart_with_opts(store, store);
    put_get_attributes(store);
    put_get_delete_list(store);
    put_opts(store, true);
    rename_and_copy(store);
    response_extensions(store, true);
    stream_get(store);
}

#[tokio::test]
async fn missing_object_is_not_found() {
    let server = server();
    for bucket in ["bucket", "nonexistent"] {
        let store = store(&server, bucket);
        let error = suite::get_nonexistent_object(&store, None).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        let error = store.delete(&Path::from("nonexistent")).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
    let put =
        store(&server, "nonexistent").put(&Path::from("name"), PutPayload::from("data")).await;
    assert!(matches!(put, Err(Error::NotFound { .. })), "{put:?}");
}
