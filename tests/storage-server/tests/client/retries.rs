//! The behaviour of object_store's client on faults, on which the stage's own retries depend.

use bytes::Bytes;
use object_store::gcp::GoogleCloudStorage;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use test_storage_server::{Fault, Operation, Refusal, Rule, Settings, StorageServer};

const CONTENT: &[u8] = b"0123456789";

fn server() -> (StorageServer, GoogleCloudStorage) {
    let server = StorageServer::start(&Settings::new().with_bucket("bucket")).unwrap();
    let client = crate::client("bucket").with_service_account_key(server.open_account());
    (server, client.build().unwrap())
}

async fn create(client: &GoogleCloudStorage) -> Result<(), Error> {
    let content = Bytes::from_static(CONTENT);
    client.put_opts(&Path::from("name"), content.into(), PutMode::Create.into()).await.map(drop)
}

#[tokio::test]
async fn client_retries_server_errors() {
    let (server, client) = server();
    server.inject(Rule::new(None, "*", Fault::Refuse(Refusal::new(503))).first(2));
    create(&client).await.unwrap();
    assert_eq!(server.count(Operation::Write, "name"), 3);
}

#[tokio::test]
async fn client_does_not_retry_denied_requests() {
    let (server, client) = server();
    server.inject(Rule::new(None, "*", Fault::Refuse(Refusal::new(403))));
    let error = create(&client).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    assert_eq!(server.count(Operation::Write, "name"), 1);
}

#[tokio::test]
async fn client_retry_of_creation_reports_existing_object() {
    let (server, client) = server();
    let fault = Fault::RefuseAfterServing(Refusal::new(500));
    server.inject(Rule::new(Operation::Write, "*", fault).first(1));
    let error = create(&client).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(server.object("bucket", "name").unwrap().to_bytes(), CONTENT);
}

#[tokio::test]
async fn client_resumes_truncated_read() {
    for fault in [Fault::CutBody { after: 4 }, Fault::ResetBody { after: 4 }] {
        let (server, client) = server();
        create(&client).await.unwrap();
        server.inject(Rule::new(Operation::Read, "*", fault).first(1));
        let read = client.get(&Path::from("name")).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, CONTENT);
        assert_eq!(server.count(Operation::Read, "name"), 2);
    }
}

#[tokio::test]
async fn client_accepts_altered_body() {
    let (server, client) = server();
    create(&client).await.unwrap();
    server.inject(Rule::new(Operation::Read, "*", Fault::AlterBody { at: 4 }));
    let read = client.get(&Path::from("name")).await.unwrap().bytes().await.unwrap();
    assert_eq!(read.len(), CONTENT.len());
    assert_ne!(read, CONTENT);
}
