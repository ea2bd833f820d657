//! Compilation units that tests, programs and components share.
//!
//! cargo compiles a package again for each set of features, also if only a dependency has other features. So these
//! checks compare whole units with their dependencies, not just lists of features.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::workspace::{assert_none, root};

const FIX: &str = "give it the same features everywhere: name it in workspace-hack's manifest if it is linked, in that of \
    hype-guest-macro if it runs while others are compiled. Find the dependents with \
    `cargo tree --workspace -e features -i PACKAGE`";

/// Packages that `cargo test` compiles with more features than programs do: for the clouds' clients, for tests, and
/// for the tests of the macro, which parse manifests. `cargo hype` compiles them, and our own crates that use them,
/// again.
const SMALLER_IN_PROGRAMS: &[&str] = &[
    "chrono",
    "object_store",
    "toml",
    "toml_datetime",
    "toml_parser",
    "tracing-subscriber",
    "winnow",
];

#[test]
fn programs_and_tests_share_build_units() {
    let tests = Units::of(&["test", "--workspace", "--no-run"]);
    let program = Units::of(&["build", "-p", "cargo-hype"]);
    let problems: Vec<_> = program
        .missing_in(&tests)
        .into_iter()
        .filter(|name| !SMALLER_IN_PROGRAMS.contains(&name.as_str()))
        .map(|name| format!("{name} is compiled for cargo-hype and again for `cargo test`"))
        .collect();
    assert_none(&problems, FIX);
}

#[test]
fn components_and_programs_share_build_units() {
    let program = Units::of(&["build", "-p", "cargo-hype"]);
    let component = [
        "rustc",
        "-p",
        "wordcount",
        "--lib",
        "--crate-type",
        "cdylib",
        "--target",
        "wasm32-wasip1",
    ];
    let component = Units::of(&component);
    let has = |name: &str| program.0.values().any(|unit| unit.name == name);
    let problems: Vec<_> = component
        .missing_in(&program)
        .into_iter()
        .filter(|name| has(name))
        .map(|name| format!("{name} runs while a component is compiled, in a copy of its own"))
        .collect();
    assert_none(&problems, FIX);
}

/// A compilation unit of cargo.
struct Unit {
    name: String,
    is_ours: bool,
    /// Whether it is a library or a macro for this machine. Build scripts are excluded: their features depend on
    /// their packages, and they compile quickly.
    is_for_machine: bool,
}

/// Compilation units by a digest of each unit and its dependencies.
struct Units(BTreeMap<String, Unit>);

impl Units {
    /// Returns what cargo would compile for the command `arguments`.
    fn of(arguments: &[&str]) -> Self {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--unit-graph", "-Z", "unstable-options"])
            // cargo only prints the plan; nothing is compiled with the unstable flag.
            .env("RUSTC_BOOTSTRAP", "1")
            .current_dir(root())
            .output()
            .expect("cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let graph: Value = serde_json::from_slice(&output.stdout).expect("a graph as JSON");
        Self::in_graph(&graph)
    }

    fn in_graph(graph: &Value) -> Self {
        let units = graph["units"].as_array().expect("units");
        let keys = Keys { units, known: RefCell::default() };
        let units = units.iter().enumerate().map(|(index, unit)| {
            let id = text(&unit["pkg_id"]);
            let unit = Unit {
                name: name(id).to_owned(),
                is_ours: id.starts_with("path+"),
                is_for_machine: unit["platform"].is_null()
                    && unit["target"]["kind"][0] != "custom-build",
            };
            (keys.of(index), unit)
        });
        Self(units.collect())
    }

    /// Returns the external packages that are compiled for this machine with other features or dependencies than in
    /// `other`.
    fn missing_in(&self, other: &Self) -> BTreeSet<String> {
        let missing = self.0.iter().filter(|(key, _)| !other.0.contains_key(*key));
        missing
            .filter(|(_, unit)| unit.is_for_machine && !unit.is_ours)
            .map(|(_, unit)| unit.name.clone())
            .collect()
    }
}

/// Computes the keys of a graph's units.
struct Keys<'a> {
    units: &'a [Value],
    known: RefCell<BTreeMap<usize, String>>,
}

impl Keys<'_> {
    /// Returns a digest of the unit and all its dependencies.
    fn of(&self, index: usize) -> String {
        if let Some(key) = self.known.borrow().get(&index) {
            return key.clone();
        }
        let unit = &self.units[index];
        let mut profile = unit["profile"].clone();
        // `dev` and `test` may differ by name only.
        profile["name"] = Value::Null;
        let own = ["pkg_id", "target", "mode", "platform", "features"].map(|field| &unit[field]);
        let dependencies = unit["dependencies"].as_array().expect("dependencies");
        let below: BTreeSet<String> = dependencies
            .iter()
            .filter_map(|dependency| usize::try_from(dependency["index"].as_u64()?).ok())
            .map(|dependency| self.of(dependency))
            .collect();
        let key = digest(&format!("{own:?} {profile} {below:?}"));
        self.known.borrow_mut().insert(index, key.clone());
        key
    }
}

fn digest(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// Returns the name in `registry+https://..#NAME@VERSION` or `path+file:///../NAME#VERSION`.
fn name(id: &str) -> &str {
    let (place, rest) = id.rsplit_once('#').unwrap_or(("", id));
    match rest.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

#[test]
fn key_of_a_build_unit_includes_its_dependencies() {
    let graph = |features: Value| {
        let unit = |name: &str, features: Value, dependencies: Value| {
            serde_json::json!({
                "pkg_id": format!("registry+https://example.com#{name}@1.0.0"),
                "target": {}, "mode": "build", "platform": null, "profile": { "name": name },
                "features": features, "dependencies": dependencies,
            })
        };
        let below = serde_json::json!([{ "index": 0 }]);
        let above = unit("above", serde_json::json!([]), below);
        let units = [unit("below", features, serde_json::json!([])), above];
        Units::in_graph(&serde_json::json!({ "units": units }))
    };
    let (one, other) = (graph(serde_json::json!([])), graph(serde_json::json!(["std"])));
    assert_eq!(one.missing_in(&one).len(), 0);
    assert_eq!(Vec::from_iter(one.missing_in(&other)), ["above", "below"]);
    assert_eq!(name("path+file:///a/wire#hype-wire@0.1.0"), "hype-wire");
    assert_eq!(name("path+file:///a/hype-run#0.1.0"), "hype-run");
}
