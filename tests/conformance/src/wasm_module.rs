//! Builds test packages that don't use hype.

use std::path::{Path, PathBuf};

use cargo_hype::cargo::Cargo;

/// Builds a package of this workspace for `wasm32-wasip1`, and returns the path of its module.
pub(crate) fn wasm_module(package: &str) -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let build = ["build", "-p", package, "--target", "wasm32-wasip1"];
    let arguments = build.map(Into::into).into();
    let cargo = Cargo { directory: root, arguments, variables: Vec::new() };
    let artifacts = cargo.build().expect("cargo").artifacts().expect("the package compiles");
    let mut files = artifacts.into_iter().rev().flat_map(|artifact| artifact.filenames);
    let module = files.find(|file| file.extension() == Some("wasm"));
    module.expect("a module").into_std_path_buf()
}
