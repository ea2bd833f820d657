//! Tokens for Google's other services.

use std::time::Duration;

use hype_stage::{GoogleTokens, StageErrorKind, StageOptions};
use test_storage_server::{Operation, Settings, StorageServer};

/// A server with a service account, and the directory of the account's key file.
struct Account {
    server: StorageServer,
    directory: tempfile::TempDir,
}

impl Account {
    fn with_lifetime(lifetime: Duration) -> Self {
        let settings = Settings::new().with_service_account(&[]).with_token_lifetime(lifetime);
        let server = StorageServer::start(&settings).unwrap();
        Self { server, directory: tempfile::tempdir().unwrap() }
    }

    fn tokens_of(&self, key: &str) -> Result<GoogleTokens, hype_stage::StageError> {
        let path = self.directory.path().join("key.json");
        std::fs::write(&path, key).unwrap();
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", path.to_string_lossy())];
        GoogleTokens::find_with(&StageOptions::new().with_variables(variables))
    }

    fn tokens(&self) -> GoogleTokens {
        self.tokens_of(&self.server.service_account()).unwrap()
    }
}

#[tokio::test]
async fn token_is_cached() {
    let account = Account::with_lifetime(Duration::from_secs(3600));
    let tokens = account.tokens();
    let token = tokens.token().await.unwrap();
    assert_eq!(tokens.token().await.unwrap(), token);
    assert_eq!(account.server.count(Operation::Token, "*"), 1);
    // The token is not self-signed: clusters don't accept self-signed tokens.
    assert!(!token.contains('.'), "{token}");
}

#[tokio::test]
async fn expiring_token_is_renewed() {
    let account = Account::with_lifetime(Duration::from_secs(200));
    let tokens = account.tokens();
    assert_ne!(tokens.token().await.unwrap(), tokens.token().await.unwrap());
}

#[tokio::test]
async fn rejected_key_is_denied() {
    let account = Account::with_lifetime(Duration::from_secs(3600));
    let other =
        account.server.service_account().replace("\"client_email\":\"", "\"client_email\":\"not-");
    let error = account.tokens_of(&other).unwrap().token().await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied, "{error:?}");
    assert!(error.to_string().contains("give no token: 40"), "{error}");
    assert!(error.to_string().contains("key.json"), "{error}");
    assert!(error.advice().unwrap().contains("keys list --iam-account not-"), "{error:?}");
}

#[tokio::test]
async fn invalid_key_file_is_named() {
    let account = Account::with_lifetime(Duration::from_secs(3600));
    for (key, problem) in [
        (account.server.open_account(), "have no `private_key`"),
        (
            r#"{"type": "service_account", "private_key": "none"}"#.to_owned(),
            "have an invalid `private_key`",
        ),
        (
            account.server.service_account().replace("http://127.0.0.1", "http://token.example"),
            "sends credentials over the network unprotected",
        ),
    ] {
        let error = account.tokens_of(&key).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
