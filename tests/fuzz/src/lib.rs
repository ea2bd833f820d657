//! Fuzz targets: all decoders of hype on untrusted bytes.
//!
//! Each [`Target`] takes any bytes and panics if an invariant is violated: decoders never panic, decoded values
//! encode and decode to equal values, messages are short. The tests of this package run the targets on seeds, on
//! mutations of seeds, and on the inputs of fixed bugs. `tests/fuzz/run` searches for more with libFuzzer.
//!
//! - `types`: typical types of users.
//! - `values`: MessagePack as arguments and as results.
//! - `objects`: manifests, leases and outcomes in the stage.
//! - `components`: component files and their lists of functions.
//! - `wit`: random WIT types and values of them.
//! - `identifiers`: ids of runs, names of objects, variables and commands, HTTP grants.
//! - `names`: termination lines, URLs, digests and paths.
//! - `workers`: the messages of worker processes.
//! - `seeds`: valid inputs from which the search starts.

mod components;
mod identifiers;
mod names;
mod objects;
mod seeds;
mod types;
mod values;
mod wit;
mod workers;

pub use values::types_of_results;

/// A decoder of hype and its invariants.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The target's name, which also names its libFuzzer program and its directory of regressions.
    pub name: &'static str,
    /// Decodes any bytes and returns whether they are valid. Panics if an invariant is violated.
    pub run: fn(&[u8]) -> bool,
    /// Returns valid inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "arguments", run: values::arguments, seeds: seeds::arguments },
    Target { name: "results", run: values::results, seeds: seeds::results },
    Target { name: "outcome", run: objects::outcome, seeds: seeds::outcomes },
    Target { name: "manifest", run: objects::manifest, seeds: seeds::manifests },
    Target { name: "lease", run: objects::lease, seeds: seeds::leases },
    Target { name: "section", run: components::section, seeds: seeds::sections },
    Target { name: "component", run: components::component, seeds: seeds::components },
    Target { name: "names", run: names::names, seeds: seeds::names },
    Target { name: "wit", run: wit::wit, seeds: seeds::wit },
    Target { name: "identifiers", run: identifiers::identifiers, seeds: identifiers::seeds },
    Target { name: "worker", run: workers::worker, seeds: workers::seeds },
];

/// Returns the target `name`.
///
/// # Panics
///
/// Panics if there is no such target.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("there is no target `{name}`"))
}
