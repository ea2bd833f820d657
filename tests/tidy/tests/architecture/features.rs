//! Checks that one build of the engine serves all programs of the workspace.
//!
//! cargo compiles a package again for each set of features, and everything that depends on it too. A feature that
//! only one program enables can cost another compilation of wasmtime, which takes minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::workspace::{assert_none, root};

/// The program that everyone builds first.
const FIRST: &str = "cargo-hype";

/// Programs that are built after it.
const OTHERS: &[&str] = &[
    "benches",
    "conformance",
    "extract-env",
    "grep",
    "hello",
    "render",
    "thumbnails",
    "volumes",
    "wordcount",
];

/// Packages that take minutes to compile, with their dependencies.
const ENGINE: [&str; 2] = ["wasmtime", "wasmtime-wasi"];

const FIX: &str = "let workspace-hack ask for the features that are missing, so that every program has \
    them; see its Cargo.toml. Find the packages that enable them with";

/// Packages with version, and the lists of features with which each is built.
type Features = BTreeMap<String, BTreeSet<String>>;

#[test]
fn programs_enable_the_same_features() {
    let first = Built::of(FIRST);
    let mut problems = Vec::new();
    for other in OTHERS {
        let built = Built::of(other);
        problems.extend(differences(&first.for_target, &built.for_target, FIRST, other));
        problems.extend(differences(&first.for_build, &built.for_build, FIRST, other));
    }
    assert_none(&problems, &format!("{FIX} `cargo tree -e features -p PROGRAM -i PACKAGE`"));
}

#[test]
fn tests_and_programs_share_the_engine() {
    // Only the engine's dependencies: other packages cost seconds, not minutes.
    let engine = ENGINE.map(|package| tree(&["-p", package, "-e", "normal,no-proc-macro"]));
    let mut first = tree(&["-p", FIRST, "-e", "normal,no-proc-macro"]);
    first.retain(|package, _| engine.iter().any(|engine| engine.contains_key(package)));
    let tests = tree(&["--workspace", "-e", "normal,dev,no-proc-macro"]);
    assert_none(
        &differences(&first, &tests, FIRST, "`cargo test`"),
        &format!("{FIX} `cargo tree -e features --workspace -i PACKAGE`"),
    );
}

/// Packages that are needed only to reach a cloud.
const CLOUD: [&str; 4] = ["google-cloud-auth", "hyper-util", "quick-xml", "reqwest"];

#[test]
fn cloud_crates_need_cloud_features() {
    let problems: Vec<_> =
        cloud_in(&[]).iter().map(|name| format!("spotify-hype brings {name} unasked")).collect();
    assert_none(
        &problems,
        "a program that stages in a directory doesn't build what speaks to clouds: enable it by the \
         features `gcs`, `aws` and `azure` alone; find the dependent with \
         `cargo tree -p spotify-hype -e normal -i PACKAGE`",
    );
    // Fails when the names above are outdated.
    assert_eq!(cloud_in(&["--features", "full"]), CLOUD);
}

/// Returns the packages of [`CLOUD`] that hype depends on with these features.
fn cloud_in(features: &[&str]) -> Vec<&'static str> {
    let all = tree(&[&["-p", "spotify-hype", "-e", "normal"], features].concat());
    let has = |name: &&str| all.keys().any(|package| package.split(' ').next() == Some(*name));
    CLOUD.into_iter().filter(has).collect()
}

/// The packages of a program.
struct Built {
    /// Packages linked into the program.
    for_target: Features,
    /// Packages that only run during the build. cargo doesn't list those that are also linked with the same features,
    /// so they are missing here.
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

/// Runs `cargo tree` with the arguments `what`, and parses its output.
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

/// Parses lines such as `syn v2.0.1 (proc-macro) [full,visit] (*)`.
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
fn feature_differences_name_package_and_features() {
    let one =
        parse("a v1.0.0 [std]\nb v2.0.0 (proc-macro) []\na v1.0.0 [std] (*)\nonly v1.0.0 []\n");
    let other = parse("a v1.0.0 [alloc,std]\nb v2.0.0 (/some where/b) []\n");
    assert_eq!(
        differences(&one, &other, "x", "y"),
        ["a v1.0.0 is built for x with [std], for y with [alloc,std]"]
    );
}
