//! The lines of a manifest that keep dev builds of programs quick.
//!
//! Cranelift makes machine code of components, and unoptimized it takes seconds for what takes it
//! milliseconds. cargo reads profiles in the root of a workspace alone: a new package that is its own
//! root gets them, and where another root is somebody's file, that person is told what to add.

use toml::Table;

/// What a root's manifest ends with.
pub(crate) const PROFILE: &str = r#"
# Cranelift, which makes machine code of components, is slow where it isn't optimized itself; and
# nobody steps into dependencies, whose debug information would only make components large.
[profile.dev]
debug = "line-tables-only"

[profile.dev.package]
"*".debug = false
addr2line.opt-level = 1
blake3.opt-level = 1
cranelift-codegen.opt-level = 1
gimli.opt-level = 1
regalloc2.opt-level = 1
wasmtime.opt-level = 1
"#;

/// The lines for the manifest `root` without which components compile slowly, if it lacks some: with
/// their heading, unless it has that already.
pub(crate) fn missing(root: &Table) -> Option<String> {
    let dev = table(root, "profile").and_then(|profiles| table(profiles, "dev"));
    let packages = dev.and_then(|dev| table(dev, "package"));
    let optimizes = |table: Option<&Table>| table.is_some_and(|table| table.contains_key(LEVEL));
    let all = packages.and_then(|packages| table(packages, "*"));
    if optimizes(dev) || optimizes(all) {
        return None;
    }
    let lines: Vec<_> = PROFILE
        .lines()
        .filter(|line| {
            let package = line.split_once(".opt-level").map(|(package, _)| package);
            package
                .is_some_and(|name| !optimizes(packages.and_then(|packages| table(packages, name))))
        })
        .collect();
    let heading = if packages.is_some() { "" } else { "[profile.dev.package]\n" };
    (!lines.is_empty()).then(|| format!("{heading}{}", lines.join("\n")))
}

const LEVEL: &str = "opt-level";

fn table<'a>(table: &'a Table, key: &str) -> Option<&'a Table> {
    table.get(key)?.as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_in(root: &str) -> Option<String> {
        missing(&root.parse().unwrap())
    }

    #[test]
    fn what_a_root_has_is_not_asked_for_again() {
        assert_eq!(missing_in(PROFILE), None);
        assert_eq!(missing_in("[profile.dev]\nopt-level = 1"), None);
        assert_eq!(missing_in("[profile.dev.package.\"*\"]\nopt-level = 2"), None);
        let all = missing_in("[workspace]\nmembers = []").unwrap();
        assert!(all.starts_with("[profile.dev.package]\naddr2line.opt-level = 1\n"), "{all}");
        assert_eq!(all.lines().count(), 7);
        let some =
            PROFILE.replace("gimli.opt-level = 1\n", "").replace("wasmtime.opt-level = 1", "");
        let expected = "gimli.opt-level = 1\nwasmtime.opt-level = 1";
        assert_eq!(missing_in(&some).as_deref(), Some(expected));
    }

    #[test]
    fn the_lines_may_be_added_to_the_root() {
        let root = "[workspace]\nmembers = []\n";
        let added = format!("{root}{}\n", missing_in(root).unwrap());
        assert_eq!(missing_in(&added), None);
    }
}
