//! `hype.toml`, its profiles, and the options that override it.

use std::fs;

use insta::assert_snapshot;

use crate::hype::{Hype, hype};

const FILE: &str = "submitter = 'local'\n\n[profile.test]\nstaging = 'file://STAGES/test'\n\n\
    [profile.prod]\nstaging = 'ftp://prod/hype'\n";

/// Returns a command in a directory with a `hype.toml` of this text, without `HYPE_STAGING`.
fn with_file(text: &str, arguments: &[&str]) -> Hype {
    let command = hype(arguments).without_leftovers().with_env("HYPE_STAGING", "");
    let scratch = command.scratch();
    let text = text.replace("STAGES", scratch.path().to_str().unwrap());
    fs::write(scratch.path().join("hype.toml"), text).unwrap();
    command.in_directory(scratch.path())
}

#[test]
fn profile_is_chosen_by_option_or_variable() {
    let by_option = with_file(FILE, &["gc", "--profile", "test"]);
    assert_snapshot!(by_option.redacted(), @r#"
    status 0
    --- stderr
    removed 0 runs and 0 blobs (0 B) of file://[SCRATCH]/test, and kept 0 runs
    "#);
    let by_variable = with_file(FILE, &["gc"]).with_env("HYPE_PROFILE", "test");
    assert_snapshot!(by_variable.redacted(), @r#"
    status 0
    --- stderr
    removed 0 runs and 0 blobs (0 B) of file://[SCRATCH]/test, and kept 0 runs
    "#);
}

#[test]
fn option_overrides_the_profile() {
    let scratch = tempfile::tempdir().unwrap();
    let stage = format!("file://{}/other", scratch.path().display());
    let output = with_file(FILE, &["gc", "--profile", "prod", "--staging", &stage]).output();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&stage), "{stderr}");
}

#[test]
fn missing_profile_names_the_nearest() {
    assert_snapshot!(with_file(FILE, &["gc", "--profile", "tset"]).redacted(), @r#"
    status 2
    --- stderr
    error: cannot use [SCRATCH]/hype.toml
    Caused by:
       0: there is no profile `tset` in it
    Hint: did you mean `test`? the profiles are prod, test
    "#);
}

#[test]
fn unknown_key_names_the_file_and_the_nearest_key() {
    assert_snapshot!(with_file("stagin = 'file:///s'", &["gc"]).redacted(), @r#"
    status 2
    --- stderr
    error: cannot use [SCRATCH]/hype.toml
    Caused by:
       0: unknown key `stagin`
    Hint: did you mean `staging`? the keys are submitter, staging, image, context, namespace, service-account, stage-secret, profile
    "#);
}

#[test]
fn error_about_a_configured_value_names_the_file() {
    assert_snapshot!(with_file(FILE, &["gc", "--profile", "prod"]).redacted(), @r#"
    status 2
    --- stderr
    error: the stage cannot be opened
    Caused by:
       0: no stage is at ftp:// (ftp://prod/hype); there are: file://, gs://, s3://, az://, abfs://, abfss://, memory://
    Hint: `staging = "ftp://prod/hype"` is in [SCRATCH]/hype.toml, profile prod
    "#);
}

/// Everyone may write to the directory, so another user could have chosen the stage.
#[cfg(unix)]
#[test]
fn gc_never_takes_its_stage_from_a_file_of_other_users() {
    use std::os::unix::fs::PermissionsExt;

    let command = with_file("staging = 'file://STAGES/theirs'", &["gc"]);
    let scratch = command.scratch();
    let old = scratch.path().join("theirs/runs/old/arguments");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    let file = fs::File::create(&old).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_snapshot!(command.redacted(), @r#"
    status 2
    --- stderr
    error: cannot use [SCRATCH]/hype.toml, which decides where runs are staged: [SCRATCH] may be written to by every user
    Hint: if it is yours, run `chmod go-w [SCRATCH]` or `chown $USER [SCRATCH]`; if you trust it as it is, name it: HYPE_CONFIG=[SCRATCH]/hype.toml
    "#);
    assert!(old.exists() && !scratch.path().join("theirs/.hype-stage").exists());
}
