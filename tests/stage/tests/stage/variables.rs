//! Variables that configure a stage, and invalid ones.

use hype_stage::{Stage, StageError, StageErrorKind, StageOptions};
use test_stage::backends::gcs_server;
use test_stage::bytes::some;

fn open(url: &str, variables: &[(&str, &str)]) -> Result<Stage, StageError> {
    let options = StageOptions::new().with_variables(variables.iter().copied());
    Stage::open_with(url, &options)
}

fn rejection(url: &str, variables: &[(&str, &str)]) -> (String, String) {
    let error = open(url, variables).unwrap_err();
    (error.to_string(), error.advice().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn emulator_is_set_by_host_or_url() {
    let server = gcs_server();
    for host in [server.host(), server.url(), format!("{}/", server.url())] {
        let stage = open("gs://bucket/p", &[("STORAGE_EMULATOR_HOST", &host)]).unwrap();
        stage.put("runs/run-1/manifest", some(10, 1)).await.unwrap();
    }
    assert_eq!(server.names("bucket").len(), 1);
}

#[test]
fn aws_profiles_are_rejected() {
    let (problem, hint) = rejection("s3://bucket", &[("AWS_PROFILE", "work")]);
    assert_eq!(
        problem,
        "AWS_PROFILE is `work`, and hype reads no profiles: it has no AWS credentials for \
         s3://bucket"
    );
    assert!(hint.contains("aws configure export-credentials --format env"), "{hint}");

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".aws/credentials");
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(&file, "[default]\n").unwrap();
    let (problem, _) = rejection("s3://bucket", &[("HOME", home.path().to_str().unwrap())]);
    assert!(problem.starts_with(&format!("there is {}, and", file.display())), "{problem}");

    let keys =
        [("AWS_PROFILE", "work"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    open("s3://bucket", &keys).unwrap();
    let role = [("AWS_PROFILE", "work"), ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role")];
    open("s3://bucket", &role).unwrap();
}

#[test]
fn plain_http_endpoint_is_rejected() {
    for (url, name, variables) in [
        ("s3://bucket", "AWS_ENDPOINT_URL", &[("AWS_ENDPOINT_URL", "http://minio:9000")][..]),
        ("s3://bucket", "AWS_ENDPOINT_URL_S3", &[("AWS_ENDPOINT_URL_S3", "http://10.0.0.1")]),
        ("gs://bucket", "GOOGLE_BASE_URL", &[("GOOGLE_BASE_URL", "http://example.com")]),
        (
            "az://container",
            "AZURE_STORAGE_ENDPOINT",
            &[
                ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
                ("AZURE_STORAGE_ENDPOINT", "http://example.com"),
            ],
        ),
    ] {
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let variables: Vec<_> = variables.iter().chain(&keys).copied().collect();
        let (problem, hint) = rejection(url, &variables);
        assert!(problem.starts_with(&format!("{name} is `http://")), "{problem}");
        assert!(problem.contains("sends credentials over the network unprotected"), "{problem}");
        assert!(hint.starts_with("use https://"), "{hint}");
    }
}

#[test]
fn azure_account_is_required() {
    let (problem, hint) = rejection("az://container/prefix", &[]);
    assert_eq!(problem, "az://container/prefix names no storage account");
    assert!(hint.starts_with("set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://"), "{hint}");
    let key = ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5");
    open("az://container/prefix", &[key, ("AZURE_STORAGE_ACCOUNT_NAME", "account")]).unwrap();
    open("abfss://container@account.dfs.core.windows.net/prefix", &[key]).unwrap();
    open("az://container/prefix", &[("AZURE_STORAGE_USE_EMULATOR", "true")]).unwrap();
}

#[test]
fn debug_output_hides_keys() {
    let options = StageOptions::new().with_variables([("AWS_SECRET_ACCESS_KEY", "hidden")]);
    let text = format!("{options:?}");
    assert!(text.contains("AWS_SECRET_ACCESS_KEY") && !text.contains("hidden"), "{text}");
}

#[test]
fn unsupported_google_credentials_are_rejected() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let named = [("GOOGLE_APPLICATION_CREDENTIALS", path)];
    std::fs::write(path, r#"{"type": "external_account_authorized_user"}"#).unwrap();
    let (problem, hint) = rejection("gs://bucket", &named);
    assert_eq!(
        problem,
        format!(
            "hype cannot use Google credentials of the kind external_account_authorized_user \
             ({path})"
        )
    );
    assert!(hint.starts_with("it can use: service_account, authorized_user, external_account"));

    std::fs::write(path, "no JSON").unwrap();
    assert_eq!(
        rejection("gs://bucket", &named).0,
        format!("the Google credentials {path} are not JSON")
    );
    std::fs::remove_file(path).unwrap();
    let error = open("gs://bucket", &named).unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied);
    assert_eq!(error.to_string(), format!("the Google credentials {path} cannot be read"));
}
