//! Tests with the environments that cargo 1.95 and cargo-nextest 0.9 set.

use std::ffi::OsString;

use super::{LIBRARIES, user_environment};

type Environment<'a> = &'a [(&'a str, &'a str)];

const SHELL: Environment<'_> = &[
    ("CARGO_BUILD_JOBS", "2"),
    ("CARGO_ENCODED_RUSTFLAGS", "-Cdebuginfo=0"),
    ("CARGO_HOME", "/home/me/.cargo"),
    ("CARGO_NET_OFFLINE", "true"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_REGISTRIES_OURS_INDEX", "sparse+https://example.com/"),
    ("CARGO_TARGET_DIR", "/t"),
    ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "clang"),
    ("CARGO_TERM_COLOR", "never"),
    ("PROFILE", "mine"),
    ("RUSTC_WRAPPER", "sccache"),
    ("RUSTFLAGS", "-Ctarget-cpu=native"),
    ("RUSTUP_TOOLCHAIN", "1.95"),
];

const PROGRAM: Environment<'_> = &[
    ("CARGO", "/r/bin/cargo"),
    ("CARGO_MANIFEST_DIR", "/p"),
    ("CARGO_MANIFEST_PATH", "/p/Cargo.toml"),
    ("CARGO_PKG_AUTHORS", ""),
    ("CARGO_PKG_NAME", "p"),
    ("CARGO_PKG_RUST_VERSION", "1.95"),
    ("CARGO_PKG_VERSION", "0.1.0"),
    ("CARGO_PKG_VERSION_PRE", ""),
];

const SCRIPT: Environment<'_> = &[
    ("CARGO_CFG_TARGET_ARCH", "x86_64"),
    ("CARGO_ENCODED_RUSTFLAGS", ""),
    ("CARGO_FEATURE_DEFAULT", "1"),
    ("DEBUG", "true"),
    ("DEP_Z_INCLUDE", "/z"),
    ("HOST", "x86_64-unknown-linux-gnu"),
    ("NUM_JOBS", "2"),
    ("OPT_LEVEL", "0"),
    ("OUT_DIR", "/t/debug/build/p-0123/out"),
    ("PROFILE", "debug"),
    ("TARGET", "x86_64-unknown-linux-gnu"),
];

/// Returns the user's variables among all of these.
fn restored(parts: &[Environment<'_>]) -> Vec<(String, String)> {
    let all = parts.concat();
    let all = all.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let text = |text: OsString| text.into_string().unwrap();
    user_environment(all).into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn owned(environment: Environment<'_>) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the user's directories among these, for a program that cargo starts.
fn restored_directories(paths: &[&str]) -> Option<String> {
    let value = std::env::join_paths(paths).unwrap().into_string().unwrap();
    let mut variables = restored(&[PROGRAM, &[(LIBRARIES, &value)]]);
    assert!(variables.len() < 2, "{variables:?}");
    variables.pop().map(|(_, value)| value)
}

#[test]
fn program_of_cargo_run_gets_shell_environment() {
    assert_eq!(restored(&[SHELL, PROGRAM]), owned(SHELL));
}

#[test]
fn test_gets_shell_environment() {
    let test: Environment<'_> = &[
        ("CARGO_BIN_EXE_cargo-hype", "/t/debug/cargo-hype"),
        ("CARGO_CRATE_NAME", "p"),
        ("OUT_DIR", "/t/debug/build/p-0123/out"),
        ("RUSTDOC_DOCTEST_RUN_NB_TEST", "0"),
    ];
    assert_eq!(restored(&[SHELL, PROGRAM, test]), owned(SHELL));
    let nextest: Environment<'_> =
        &[("NEXTEST", "1"), ("NEXTEST_RUN_ID", "993c234c"), ("NEXTEST_BIN_EXE_p", "/t/debug/p")];
    assert_eq!(restored(&[SHELL, PROGRAM, test, nextest]), owned(SHELL));
}

#[test]
fn build_script_gets_variables_that_cargo_did_not_set() {
    let shell: Environment<'_> = &[("CARGO_HOME", "/c"), ("RUSTC_WRAPPER", "sccache")];
    assert_eq!(restored(&[shell, PROGRAM, SCRIPT]), owned(shell));
    let shared: Environment<'_> = &[("CARGO_MAKEFLAGS", "-j --jobserver-auth=6,7")];
    assert_eq!(restored(&[shared, PROGRAM, SCRIPT]), owned(shared));
}

#[test]
fn variables_of_the_user_are_kept() {
    let own: Environment<'_> = &[
        ("CARGO_MANIFEST_DIR", "/mine"),
        ("CARGO_PKG_NAME", "mine"),
        ("NEXTEST_PROFILE", "ci"),
        ("OUT_DIR", "/mine/out"),
        ("TARGET", "staging"),
    ];
    assert_eq!(restored(&[own]), owned(own));
    assert_eq!(restored(&[own, &[("CARGO", "/r/bin/cargo")]]), owned(own), "as a subcommand");
    let out: Environment<'_> = &[("OUT_DIR", "/mine/out")];
    assert_eq!(restored(&[out, PROGRAM]), owned(out));
}

#[test]
#[cfg(unix)]
fn cargo_library_directories_are_removed() {
    let toolchain = "/r/lib/rustlib/x86_64-unknown-linux-gnu/lib";
    let added = ["/t/debug/build/z-01/out/lib", "/t/debug/deps", "/t/debug", toolchain];
    assert_eq!(restored_directories(&added), None);
    assert_eq!(
        restored_directories(&[&added[..], &["/mine", "/r/lib"]].concat()).unwrap(),
        "/mine:/r/lib"
    );
    assert_eq!(
        restored_directories(&["/t/debug", "/t/debug/deps", toolchain, "/mine"]).unwrap(),
        "/mine"
    );
    assert_eq!(restored_directories(&["/t/debug/deps", "/mine"]).unwrap(), "/mine", "of a doctest");
    let nested =
        ["/u/release/deps", "/u/release", toolchain, "/t/debug/deps", "/t/debug", toolchain];
    assert_eq!(restored_directories(&[&nested[..], &["/mine"]].concat()).unwrap(), "/mine");
    let split = ["/b/debug/deps", "/t/debug", toolchain, "/mine"];
    assert_eq!(restored_directories(&split).unwrap(), "/mine", "with a build directory of its own");
    assert_eq!(restored_directories(&["/mine", "/other/lib"]).unwrap(), "/mine:/other/lib");
    assert_eq!(restored_directories(&["/mine", "/my/deps"]).unwrap(), "/mine:/my/deps");
}
