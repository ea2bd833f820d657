//! The authentication methods of object_store's client.

use std::env;
use std::process::Command;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt};
use test_storage_server::{Operation, Settings, StorageServer};

/// The variable with the server's URL. If it is set, the test acts as the client.
const SERVER: &str = "STORAGE_SERVER";

fn server() -> StorageServer {
    let settings = Settings::new().with_bucket("mine").with_bucket("other");
    StorageServer::start(&settings.with_service_account(&["mine"])).unwrap()
}

#[tokio::test]
async fn client_authenticates_by_service_account_key() {
    let server = server();
    for (bucket, may) in [("mine", true), ("other", false)] {
        let client = crate::client(bucket).with_service_account_key(server.service_account());
        let put = client.build().unwrap().put(&Path::from("name"), "content".into()).await;
        match put {
            Ok(_) => assert!(may, "{bucket}"),
            Err(error) => {
                assert!(!may && matches!(error, Error::PermissionDenied { .. }), "{error}")
            }
        }
    }
    let client = crate::client("mine").with_service_account_key(server.open_account());
    let error = client.build().unwrap().head(&Path::from("name")).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
}

/// The client reads the metadata server's address from variables only, so the test runs itself again in a new
/// process with these variables.
#[tokio::test]
async fn client_authenticates_by_metadata_server() {
    if let Ok(url) = env::var(SERVER) {
        let client = crate::client("mine").with_base_url(&url).build().unwrap();
        for name in ["one", "two"] {
            client.put(&Path::from(name), "content".into()).await.unwrap();
        }
        return;
    }
    let server = server();
    let empty_home = env::temp_dir().join("no such directory");
    let client = Command::new(env::current_exe().unwrap())
        .args(["--exact", "credentials::client_authenticates_by_metadata_server"])
        .env_clear()
        .env("HOME", empty_home)
        .env("GCE_METADATA_HOST", server.host())
        .env(SERVER, server.url())
        .output()
        .unwrap();
    assert!(client.status.success(), "{client:?}");
    assert_eq!(Vec::from_iter(server.names("mine")), ["one", "two"]);
    assert_eq!(server.count(Operation::MetadataToken, "*"), 1);
}
