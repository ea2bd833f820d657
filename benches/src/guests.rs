//! Benchmark `guests`: what each step of `cargo hype build --release` gains. Functions that only compute, compiled as they
//! are and with one setting changed, alternately. It takes minutes to build, and runs only by name.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use cargo_hype::cli::Selection;
use cargo_hype::compile::compile;
use cargo_hype::componentize::componentize;
use cargo_hype::project::Project;
use hype_wire::codec;
use serde_json::{Value, json};

use crate::alternate::alternate;
use crate::child;
use crate::guest::Guest;
use crate::ours::Ours;
use crate::table::Row;

const ROUNDS: usize = 11;

const PACKAGE: &str = "bench-closures";

/// The measured functions, and the sizes of their inputs.
const FUNCTIONS: [(&str, usize); 4] =
    [("words", 16 << 10), ("json", 16 << 10), ("matrix", 512), ("sha256", 64)];

const FLAGS: &str = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";

/// A way to build the component with one change.
struct Variant {
    name: &'static str,
    /// An environment variable for cargo, and its value.
    variable: (&'static str, &'static str),
    feature: &'static str,
}

/// The component as it is built for users.
const USUAL: Variant = Variant { name: "usual", variable: ("", ""), feature: "" };

const fn with(name: &'static str, variable: &'static str, value: &'static str) -> Variant {
    Variant { name, variable: (variable, value), ..USUAL }
}

const VARIANTS: [Variant; 9] = [
    with("opt-level 2", "CARGO_PROFILE_RELEASE_OPT_LEVEL", "2"),
    with("opt-level s", "CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    with("lto off", "CARGO_PROFILE_RELEASE_LTO", "off"),
    with("codegen-units 16", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    with("without simd128", FLAGS, "-Ctarget-feature=-simd128"),
    with(
        "with relaxed-simd, tail-call, extended-const",
        FLAGS,
        "-Ctarget-feature=+relaxed-simd,+tail-call,+extended-const",
    ),
    with("the C library's memcmp and sbrk", FLAGS, "--cfg hype_c_library"),
    Variant { name: "the crate dlmalloc", feature: "dlmalloc", ..USUAL },
    Variant { name: "the crate talc", feature: "talc", ..USUAL },
];

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let usual = build(ours, &USUAL)?;
    let mut rows = Vec::new();
    for variant in &VARIANTS {
        let other = build(ours, variant)?;
        for (function, size) in FUNCTIONS {
            let arguments = Bytes::from(codec::to_vec(&(size,))?);
            let (usual, other) = alternate(
                ROUNDS,
                || Ok(usual.call(function, &arguments)?.took),
                || Ok(other.call(function, &arguments)?.took),
            )?;
            let name = format!("{function}, {}", variant.name);
            rows.push(Row::compare(name, usual.median(), other.median(), None));
        }
    }
    Ok(rows)
}

/// Builds the component in a process of its own, which has the variable.
fn build(ours: &Ours, variant: &Variant) -> anyhow::Result<Guest> {
    // cargo finds the module of another variant up to date if both are in one directory.
    let directory = ours.tools.join("guests").join(variant.name);
    let path = directory.to_str().context("the path is not UTF-8")?;
    let variables = [variant.variable, ("CARGO_TARGET_DIR", path)];
    let variables: Vec<_> = variables.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    child::spawn_with("guest", &[path, variant.feature], &variables)?;
    Guest::of(&directory.join(PACKAGE).with_extension("wasm"))
}

/// Builds the component in `directory`.
pub(crate) fn build_here(directory: &Path, feature: &str) -> anyhow::Result<Value> {
    let project = Project::at(&Ours::root()?)?;
    let packages = project.select(&[PACKAGE.to_owned()])?;
    let package = packages.first().context("there is no such package")?;
    let features = Some(feature.to_owned()).filter(|it| !it.is_empty()).into_iter().collect();
    let selection = Selection { release: true, features, ..Selection::default() };
    let module = std::fs::read(compile(&project, package, &selection)?.path)?;
    let component = componentize(PACKAGE, &module)?;
    std::fs::write(directory.join(PACKAGE).with_extension("wasm"), component.bytes())?;
    Ok(json!({}))
}
