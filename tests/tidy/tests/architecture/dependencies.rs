//! Allowed dependencies between packages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cargo_metadata::{Dependency, Metadata, Package};

use crate::workspace::{assert_none, is_built_in, is_published, metadata, root};

/// The dependencies between published packages: exactly these edges.
const EDGES: &[(&str, &[&str])] = &[
    ("cargo-hype", &["spotify-hype"]),
    ("hype-guest", &["hype-guest-macro", "hype-wire"]),
    ("hype-guest-macro", &[]),
    ("hype-run", &["hype-stage", "hype-wire", HACK]),
    ("hype-stage", &["hype-wire"]),
    ("hype-wire", &[]),
    ("spotify-hype", &["hype-guest", "hype-run", "hype-stage", "hype-wire"]),
];

/// Families of crates that only one package may depend on, so that the rest of the code doesn't know them.
const OWNERS: &[(&str, &str)] = &[("wasmtime", "hype-run"), ("object_store", "hype-stage")];

/// Test packages that may depend on such a crate, since they test or compare with it.
const TESTED_WITH: &[(&str, &str)] = &[
    // object_store's own test suite proves the server, over its client for Google Cloud Storage.
    ("test-storage-server", "object_store"),
    // Compares a stage's speed with that of the plain crate.
    ("bench-stage", "object_store"),
];

/// The package that unifies the features of dependencies. Registries have an empty package, [`STUB`], under its name.
const HACK: &str = "hype-workspace-hack";
const STUB: &str = "workspace-hack/stub/Cargo.toml";

/// Folders of packages that are not published.
const UNPUBLISHED: &[&str] = &["benches", "examples", "tests"];

/// The condition of dependencies that don't exist on WebAssembly.
const NATIVE: &str = r#"cfg(not(target_family = "wasm"))"#;

#[test]
fn published_packages_have_only_known_edges() {
    let metadata = metadata();
    let ours: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let known: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut problems = Vec::new();
    for package in published(&metadata) {
        let Some(known) = known.get(package.name.as_str()) else {
            problems.push(format!("{} is published and not in the table", package.name));
            continue;
        };
        let found: BTreeSet<&str> =
            built_with(package).map(|dependency| dependency.name.as_str()).collect();
        for extra in found.intersection(&ours).filter(|name| !known.contains(*name)) {
            problems.push(format!("{} must not depend on {extra}", package.name));
        }
        for absent in known.difference(&found) {
            problems.push(format!("{} doesn't depend on {absent} any more", package.name));
        }
    }
    assert_none(
        &problems,
        "move the code to where it may be, e.g. a type that both need to `wire`; if the design \
         has changed, change it in ARCHITECTURE.md and in the table EDGES of this test",
    );
}

#[test]
fn published_packages_do_not_depend_on_examples_or_tests() {
    let metadata = metadata();
    let mut problems = Vec::new();
    for package in metadata.workspace_packages() {
        let directory =
            package.manifest_path.strip_prefix(root()).expect("a path in the workspace");
        let first = directory.components().next().map(|part| part.as_str()).unwrap_or_default();
        let is_inner = UNPUBLISHED.contains(&first);
        if is_inner && is_published(package) {
            problems.push(format!("{} is in {first}/ and lacks `publish = false`", package.name));
        }
        if !is_inner && !is_published(package) && package.name != HACK {
            problems.push(format!("{} is not published and outside {UNPUBLISHED:?}", package.name));
        }
    }
    let unpublished: BTreeSet<&str> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| !is_published(package) && package.name != HACK)
        .map(|package| package.name.as_str())
        .collect();
    for package in published(&metadata) {
        for dependency in &package.dependencies {
            if unpublished.contains(dependency.name.as_str()) {
                problems.push(format!("{} depends on {}", package.name, dependency.name));
            }
        }
    }
    assert_none(
        &problems,
        "packages in benches/, examples/ and tests/ have `publish = false` and are used by each \
         other only; move what others need to a published package",
    );
}

#[test]
fn published_stub_of_workspace_hack_has_no_dependencies() {
    let metadata = metadata();
    let stub = std::fs::read_to_string(root().join(STUB)).expect("the stub's manifest");
    let stub: toml::Table = stub.parse().expect("a manifest");
    let version = package(&metadata, HACK).version.to_string();
    let mut problems = Vec::new();
    if stub["package"]["name"].as_str() != Some(HACK)
        || stub["package"]["version"].as_str() != Some(version.as_str())
    {
        problems.push(format!("{STUB} is not {HACK} {version}"));
    }
    let lists = stub.keys().filter(|key| key.contains("dependencies") || *key == "target");
    problems.extend(lists.map(|list| format!("{STUB} has [{list}]")));
    let hack = package(&metadata, HACK);
    if is_published(hack) {
        problems.push(format!("{} lacks `publish = false`", hack.manifest_path));
    }
    assert_none(
        &problems,
        "what registries have is the stub, an empty package of the same name and version",
    );
}

#[test]
fn only_feature_local_enables_the_engine() {
    let metadata = metadata();
    let hype = package(&metadata, "spotify-hype");
    let mut problems = Vec::new();
    let engine = built_with(hype).filter(|dependency| dependency.name == "hype-run");
    if engine.clone().count() == 0 || engine.clone().any(|dependency| !dependency.optional) {
        problems.push("hype-run is not an optional dependency of spotify-hype".to_owned());
    }
    for (feature, enables) in &hype.features {
        let brings = enables.iter().any(|enabled| {
            enabled == "dep:hype-run" || enabled == "hype-run" || enabled.starts_with("hype-run/")
        });
        if brings && feature != "local" {
            problems.push(format!("the feature `{feature}` of spotify-hype brings hype-run"));
        }
    }
    assert_none(
        &problems,
        "in host/Cargo.toml, `hype-run` is `optional = true`, and no feature but `local` names it, \
         so that a program that submits to a cluster doesn't build the engine",
    );
}

#[test]
fn hype_on_wasm_depends_on_guest_sdk_and_serde() {
    let metadata = metadata();
    let problems: Vec<_> = built_with(package(&metadata, "spotify-hype"))
        .filter(|dependency| !["hype-guest", "serde"].contains(&dependency.name.as_str()))
        .filter_map(|dependency| {
            let target = dependency.target.as_ref().map(ToString::to_string);
            let target = target.unwrap_or_else(|| "every target".to_owned());
            (target != NATIVE).then(|| format!("spotify-hype has {} on {target}", dependency.name))
        })
        .collect();
    assert_none(
        &problems,
        &format!("in host/Cargo.toml, name them under [target.'{NATIVE}'.dependencies]"),
    );
}

#[test]
fn only_the_owner_uses_an_owned_crate() {
    let metadata = metadata();
    let mut problems = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            for (family, owner) in OWNERS {
                let is_member = dependency
                    .name
                    .strip_prefix(family)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
                let is_tested_with = !is_built_in(dependency.kind)
                    && TESTED_WITH.contains(&(package.name.as_str(), family));
                if is_member && package.name != *owner && !is_tested_with {
                    let (package, dependency) = (&package.name, &dependency.name);
                    problems.push(format!("{package} names {dependency}, which is {owner}'s"));
                }
            }
        }
    }
    assert_none(
        &problems,
        "use what the owner offers, or let it offer what is missing without showing the crate",
    );
}

#[test]
fn hype_run_depends_on_neither_kubernetes_nor_the_submitter() {
    let metadata = metadata();
    let is_foreign = |name: &str| {
        name == "spotify-hype"
            || name == "k8s-openapi"
            || name == "kube"
            || name.starts_with("kube-")
    };
    let problems: Vec<_> = dependency_paths_from(&metadata, "hype-run")
        .into_iter()
        .filter(|path| path.last().is_some_and(|name| is_foreign(name)))
        .map(|path| path.join(" -> "))
        .collect();
    assert_none(
        &problems,
        "hype-run gets all that it needs by its manifest; what talks to Kubernetes belongs to host/",
    );
}

fn published(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.workspace_packages().into_iter().filter(|package| is_published(package))
}

fn package<'a>(metadata: &'a Metadata, name: &str) -> &'a Package {
    let mut packages = metadata.workspace_packages().into_iter();
    packages
        .find(|package| package.name == name)
        .unwrap_or_else(|| panic!("the workspace has no package {name}"))
}

fn built_with(package: &Package) -> impl Iterator<Item = &Dependency> + Clone {
    package.dependencies.iter().filter(|dependency| is_built_in(dependency.kind))
}

/// Returns the shortest dependency path from `start` to each package that it is built with.
fn dependency_paths_from<'a>(metadata: &'a Metadata, start: &str) -> Vec<Vec<&'a str>> {
    let resolve = metadata.resolve.as_ref().expect("cargo metadata with dependencies");
    let nodes: HashMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let start = &package(metadata, start).id;
    let mut seen = BTreeSet::from([start]);
    let mut paths = vec![(start, vec![metadata[start].name.as_str()])];
    let mut next = 0;
    while let Some((id, path)) = paths.get(next).cloned() {
        for dependency in &nodes[id].deps {
            let mut kinds = dependency.dep_kinds.iter().map(|kind| kind.kind);
            if kinds.any(is_built_in) && seen.insert(&dependency.pkg) {
                let mut longer = path.clone();
                longer.push(metadata[&dependency.pkg].name.as_str());
                paths.push((&dependency.pkg, longer));
            }
        }
        next += 1;
    }
    paths.into_iter().map(|(_, path)| path).collect()
}
