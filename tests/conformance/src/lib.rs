//! What every runner must do, as functions over a [`Submitter`].
//!
//! A runner's tests call [`suite!`] with a way to its submitter; each case becomes a test. This is the only place for
//! tests of behaviour: what is tested here holds wherever closures run. Whoever adds a case writes its function into a
//! module of [`cases`], and nothing else.

#![expect(missing_docs, reason = "each case's name says what it does")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking")]

pub mod alone;
pub mod around;
pub mod cases;
pub mod disturbed;
pub mod documented;
pub mod left;
pub mod loopback;
pub mod told;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cargo_hype::build::build_all;
use cargo_hype::cargo::Cargo;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;
use hype::{Error, Failure, FailureKind, Submitter};

/// Makes a test of each case, for the submitter that `$submitter` gives. An attribute behind it is that
/// of each test: `#[ignore = "needs .."]`.
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

/// Runs one case, once the components of the guests are built.
///
/// # Panics
///
/// When the case fails, or there is no submitter to be had.
pub fn run(
    submitter: impl FnOnce() -> hype::Result<Submitter>,
    case: impl AsyncFnOnce(&Submitter),
) {
    build_guests();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let submitter = submitter().expect("a submitter");
    runtime.block_on(case(&submitter));
}

/// Builds the components of the test guests, once a process.
///
/// # Panics
///
/// When they don't compile.
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

/// Returns the program `hype-run`, which it builds once a process, or that which the variable `HYPE_RUN` names.
///
/// # Panics
///
/// When it doesn't compile.
pub fn hype_run() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // That of an image (tests/end-to-end/images).
        if let Some(path) = std::env::var_os("HYPE_RUN") {
            return path.into();
        }
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        // Together with what tests depend on, so that both find one wasmtime compiled.
        let build = ["build", "-p", "hype-run", "-p", "conformance", "--bin", "hype-run"];
        let arguments = build.map(Into::into).into();
        let cargo = Cargo { directory: root, arguments, variables: Vec::new() };
        let artifacts = cargo.build().expect("cargo").artifacts().expect("hype-run compiles");
        let program = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
        program.expect("hype-run").into()
    })
}

/// The failure in `result`, which must be of `kind`.
fn failure<T: std::fmt::Debug>(result: hype::Result<T>, kind: FailureKind) -> (Error, Failure) {
    let error = result.expect_err("the closure must fail");
    let failure = error.failure().unwrap_or_else(|| panic!("no failure: {error:?}")).clone();
    assert_eq!(failure.kind, kind, "{error:?}");
    eprintln!("---8<---\n{}\n--->8---", error.report());
    (error, failure)
}

/// Whether a frame of the guest's backtrace is in the function `name`.
fn passes_through(failure: &Failure, name: &str) -> bool {
    failure.backtrace.iter().any(|frame| frame.function.contains(name))
}
