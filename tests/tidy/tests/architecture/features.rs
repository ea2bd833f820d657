//! One build of the engine serves all programs here.
//!
//! cargo compiles a package again for each set of features, and all that depends on it too; so a
//! feature that only one program asks for can cost another compilation of wasmtime, which takes
//! minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::workspace::{assert_none, root};

/// The program with which everybody begins.
const FIRST: &str = "cargo-hype";

/// Programs that are built after it.
const OTHERS: &[&str] =
    &["benches", "conformance", "extract-env", "hello", "thumbnails", "volumes", "wordcount"];

/// What takes minutes to compile, with all that it is made of.
const ENGINE: [&str; 2] = ["wasmtime", "wasmtime-wasi"];

const WAY_OUT: &str = "let workspace-hack ask for the features that are missing, so that every program has \
    them; see its Cargo.toml. What asks for them is told by";

/// Packages with version, and the lists of features with which each is built.
type Features = BTreeMap<String, BTreeSet<String>>;

#[test]
fn all_programs_have_the_same_features() {
    let first = Built::of(FIRST);
    let mut problems = Vec::new();
    for other in OTHERS {
        let built = Built::of(other);
        problems.extend(differences(&first.for_target, &built.for_target, FIRST, other));
        problems.extend(differences(&first.for_build, &built.for_build, FIRST, other));
    }
    assert_none(&problems, &format!("{WAY_OUT} `cargo tree -e features -p PROGRAM -i PACKAGE`"));
}

#[test]
fn tests_have_the_same_engine_as_programs() {
    // All that the engine is made of; what it isn't made of costs seconds, not minutes.
    let engine = ENGINE.map(|package| tree(&["-p", package, "-e", "normal,no-proc-macro"]));
    let mut first = tree(&["-p", FIRST, "-e", "normal,no-proc-macro"]);
    first.retain(|package, _| engine.iter().any(|engine| engine.contains_key(package)));
    let tests = tree(&["--workspace", "-e", "normal,dev,no-proc-macro"]);
    assert_none(
        &differences(&first, &tests, FIRST, "`cargo test`"),
        &format!("{WAY_OUT} `cargo tree -e features --workspace -i PACKAGE`"),
    );
}

/// What speaks to a cloud, and what that is made of.
const CLOUD: [&str; 4] = ["google-cloud-auth", "hyper-util", "quick-xml", "reqwest"];

#[test]
fn clouds_are_built_only_where_they_are_asked_for() {
    let problems: Vec<_> =
        cloud_in(&[]).iter().map(|name| format!("spotify-hype brings {name} unasked")).collect();
    assert_none(
        &problems,
        "a program that stages in a directory doesn't build what speaks to clouds: bring it by the \
         features `gcs`, `aws` and `azure` alone; what brings it is told by \
         `cargo tree -p spotify-hype -e normal -i PACKAGE`",
    );
    // Else the names above are no longer what clouds are made of.
    assert_eq!(cloud_in(&["--features", "full"]), CLOUD);
}

/// Which of [`CLOUD`] hype is made of.
fn cloud_in(features: &[&str]) -> Vec<&'static str> {
    let all = tree(&[&["-p", "spotify-hype", "-e", "normal"], features].concat());
    let has = |name: &&str| all.keys().any(|package| package.split(' ').next() == Some(*name));
    CLOUD.into_iter().filter(has).collect()
}

/// What a program is made of.
struct Built {
    /// What is linked into it.
    for_target: Features,
    /// What only runs while it is built. What runs then with the same features as it is linked
    /// cannot be told and isn't here.
    for_build: Features,
}

impl Built {
    fn of(package: &str) -> Self {
        let for_target = tree(&["-p", package, "-e", "normal,no-proc-macro"]);
        let mut for_build = tree(&["-p", package, "-e", "normal,build"]);
        for (name, features) in &mut for_build {
            features.retain(|list| !for_target.get(name).is_some_and(|here| here.contains(list)));
        }
        for_build.retain(|_, features| !features.is_empty());
        Self { for_target, for_build }
    }
}

/// What `cargo tree` prints when it is asked for `what`.
fn tree(what: &[&str]) -> Features {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--prefix", "none", "-f", "{p} [{f}]"])
        .args(what)
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads lines as `syn v2.0.1 (proc-macro) [full,visit] (*)`.
fn parse(tree: &str) -> Features {
    let mut features = Features::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let line = line.trim_end_matches(" (*)");
        let (package, list) = line.rsplit_once(" [").expect("the format that was asked for");
        let package = package.split(" (").next().unwrap_or(package);
        let list = list.trim_end_matches(']').to_owned();
        features.entry(package.to_owned()).or_default().insert(list);
    }
    features
}

fn differences(one: &Features, other: &Features, first: &str, second: &str) -> Vec<String> {
    let shown = |lists: &BTreeSet<String>| {
        lists.iter().map(|list| format!("[{list}]")).collect::<Vec<_>>().join(" and ")
    };
    one.iter()
        .filter_map(|(package, lists)| Some((package, lists, other.get(package)?)))
        .filter(|(_, lists, others)| lists != others)
        .map(|(package, lists, others)| {
            format!(
                "{package} is built for {first} with {}, for {second} with {}",
                shown(lists),
                shown(others)
            )
        })
        .collect()
}

#[test]
fn the_package_and_both_lists_are_named() {
    let one =
        parse("a v1.0.0 [std]\nb v2.0.0 (proc-macro) []\na v1.0.0 [std] (*)\nonly v1.0.0 []\n");
    let other = parse("a v1.0.0 [alloc,std]\nb v2.0.0 (/some where/b) []\n");
    assert_eq!(
        differences(&one, &other, "x", "y"),
        ["a v1.0.0 is built for x with [std], for y with [alloc,std]"]
    );
}
