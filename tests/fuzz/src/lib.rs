//! Bytes that somebody else made, against everything of hype that reads them.
//!
//! Each [`Target`] takes any bytes and panics where a promise is broken: that nothing panics, that
//! what is read can be written and read again as the same, that messages stay short. The tests of
//! this package run the targets on seeds, on small changes of these, and on all that was ever found;
//! `tests/fuzz/run` lets libFuzzer search for more.
//!
//! - `types`: the types that users would have.
//! - `values`: MessagePack as arguments and as results.
//! - `objects`: what stands in the stage: manifests and outcomes.
//! - `components`: what components say of themselves.
//! - `names`: lines, URLs and paths.
//! - `seeds`: inputs to begin with.

mod components;
mod names;
mod objects;
mod seeds;
mod types;
mod values;

pub use values::types_of_results;

/// One reader of hype, with what it promises.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its program for libFuzzer and of its regressions' directory.
    pub name: &'static str,
    /// Takes any bytes and says whether they were read as something. It panics where a promise is
    /// broken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs to begin with, each of which is read as something.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "arguments", run: values::arguments, seeds: seeds::arguments },
    Target { name: "results", run: values::results, seeds: seeds::results },
    Target { name: "outcome", run: objects::outcome, seeds: seeds::outcomes },
    Target { name: "manifest", run: objects::manifest, seeds: seeds::manifests },
    Target { name: "section", run: components::section, seeds: seeds::sections },
    Target { name: "component", run: components::component, seeds: seeds::components },
    Target { name: "names", run: names::names, seeds: seeds::names },
];

/// The target called `name`.
///
/// # Panics
///
/// When there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("there is no target `{name}`"))
}
