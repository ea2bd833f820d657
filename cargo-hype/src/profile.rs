//! The profile in a manifest that keeps dev builds of programs fast.
//!
//! Cranelift compiles components to machine code; an unoptimized Cranelift takes seconds instead of milliseconds.
//! cargo reads profiles only from the workspace root. A new package that is its own root gets the profile; for a
//! member of an existing workspace, `cargo hype new` prints the lines that the root lacks.

use toml::Table;

/// The profile at the end of a new root manifest.
pub(crate) const PROFILE: &str = r#"
# Cranelift compiles components to machine code and is slow unless it is optimized itself. Debug
# information of dependencies would only make components large.
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

/// Returns the lines that the manifest `root` lacks, without which components compile slowly; `None` if it has all.
///
/// The lines start with their heading, unless `root` has that already.
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
    fn only_missing_profile_lines_are_returned() {
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
    fn manifest_with_the_missing_profile_lines_is_complete() {
        let root = "[workspace]\nmembers = []\n";
        let added = format!("{root}{}\n", missing_in(root).unwrap());
        assert_eq!(missing_in(&added), None);
    }
}
