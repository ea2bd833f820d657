//! The conformance suite: behaviour that every runner must have, as functions over a [`Submitter`].
//!
//! A runner's tests call [`suite!`] with an expression that creates its submitter; each case becomes a test. A new
//! case is one function in a module of [`cases`]; nothing else registers it.

#![expect(missing_docs, reason = "each case's name says what it does")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking")]

pub mod cases;
pub mod documented;
pub mod leftover_processes;
pub mod log_capture;
pub mod loopback;
pub mod overridden;
pub mod subprocess;
pub mod tampering;
pub mod test_programs;
mod wasm_module;
pub mod wit_guests;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cargo_hype::build::build_all;
use cargo_hype::cargo::Cargo;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;
use hype::{Error, Failure, FailureKind, Submitter};

/// Defines a test for each case, with the submitter that `$submitter` evaluates to. An attribute after it, such as
/// `#[ignore = "needs .."]`, is put on each test.
#[macro_export]
macro_rules! suite {
    ($submitter:expr $(, #[$attribute:meta])?) => {
        $crate::with_cases! { $submitter, [$(#[$attribute])?] }
    };
    (@ $submitter:expr, $attributes:tt; $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            use super::*;

            $($crate::suite! { @case $submitter, $attributes, $module, $case })*
        }
    )*};
    (@case $submitter:expr, [$($attribute:tt)*], $module:ident, $case:ident) => {
        #[test]
        $($attribute)*
        fn $case() {
            $crate::run(|| $submitter, $crate::cases::$module::$case);
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// Runs one case, after building the guest components.
///
/// # Panics
///
/// Panics if the case fails or the submitter can't be created.
pub fn run(
    submitter: impl FnOnce() -> hype::Result<Submitter>,
    case: impl AsyncFnOnce(&Submitter),
) {
    build_guests();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let submitter = submitter().expect("a submitter");
    runtime.block_on(case(&submitter));
}

/// Builds the guest components, once per process.
///
/// # Panics
///
/// Panics if they don't compile.
pub fn build_guests() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let project = Project::at(root.as_ref()).expect("this workspace");
        let packages = ["test-guests", "test-library"].map(str::to_owned);
        let packages = project.select(&packages).expect("the guests");
        build_all(&project, &packages, &Selection::default()).expect("components of the guests");
    });
}

/// Returns the path of `hype-run`: the one that the variable `HYPE_RUN` names, or one built once per process.
///
/// # Panics
///
/// Panics if it doesn't compile.
pub fn hype_run() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // tests/end-to-end/images sets it to the program of an image.
        if let Some(path) = std::env::var_os("HYPE_RUN") {
            return path.into();
        }
        build_program("hype-run")
    })
}

/// Returns the path of `cargo-hype`, built once per process.
///
/// # Panics
///
/// Panics if it doesn't compile.
pub fn cargo_hype() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build_program("cargo-hype"))
}

/// Builds the program of the package `name`, which has the same name.
fn build_program(name: &str) -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    // Building it together with the tests' dependencies makes both use the same compiled wasmtime.
    let arguments =
        ["build", "-p", name, "-p", "conformance", "--bin", name].map(Into::into).into();
    let cargo = Cargo { directory: root, arguments, variables: Vec::new() };
    let artifacts = cargo.build().expect("cargo").artifacts().expect("the program compiles");
    let program = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    program.expect("a program").into()
}

/// Returns the error and the failure in `result`, which must be of `kind`.
fn failure<T: std::fmt::Debug>(result: hype::Result<T>, kind: FailureKind) -> (Error, Failure) {
    let error = result.expect_err("the closure must fail");
    let failure = error.failure().unwrap_or_else(|| panic!("no failure: {error:?}")).clone();
    assert_eq!(failure.kind, kind, "{error:?}");
    eprintln!("---8<---\n{}\n--->8---", error.report());
    (error, failure)
}

/// Returns whether a frame of the guest's backtrace is in the function `name`.
fn passes_through(failure: &Failure, name: &str) -> bool {
    failure.backtrace.iter().any(|frame| frame.function.contains(name))
}
