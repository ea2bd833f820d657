//! The page of the docs: the recorded results as tables.

use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::catalogue::{Entry, Expected, Section, Step};

/// The month and versions of the last check.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The month, in the form 2026-11.
    pub month: String,
    /// The version of hype.
    pub hype: String,
    /// The version of Rust.
    pub rust: String,
}

/// Returns the page.
pub fn page(stamp: &Stamp, sections: &[Section]) -> Result<String, Problem> {
    let Stamp { month, hype, rust } = stamp;
    let mut page = format!(
        "<!-- tests/crates/run writes this page from tests/crates/catalogue: change it there. -->\n\
         # Crates in closures\n\n\
         Which crates work in a closure, as of {month}, with hype {hype} and Rust {rust}. Each crate was built into a \
         closure that\nuses it, and the closure was run and its value compared. *Builds* and *runs* are the results, \
         *checked* is the month\nof the last check. Checks use a crate's default features unless the last column names \
         others. The machine had no C\ncompiler for `wasm32-wasip1`.\n\n\
         The program can use a crate that fails in a closure: \
         `[target.'cfg(not(target_family = \"wasm\"))'.dependencies]`\nkeeps it out of the component. \
         [What a closure can't do](closures.md) explains the causes.\n\n\
         ```sh\n\
         tests/crates/run            # checks all of them, which takes hours\n\
         tests/crates/run csv zip    # checks these\n\
         ```\n"
    );
    for section in sections {
        let rows = section.crates.iter().filter_map(row).collect::<Result<String, _>>()?;
        if !rows.is_empty() {
            page.push_str(&format!("\n## {}\n\n", section.title));
            page.push_str("| crate | version | builds | runs | checked | what to know |\n");
            page.push_str("|---|---|---|---|---|---|\n");
            page.push_str(&rows);
        }
    }
    let crates = sections.iter().flat_map(|section| &section.crates);
    let untried = crates.filter(|entry| entry.checked.is_none());
    let untried: Vec<_> = untried.map(|entry| format!("`{}`", entry.name)).collect();
    if !untried.is_empty() {
        page.push_str("\n## Not tried\n\n");
        page.push_str(&format!(
            "The catalogue has checks of these crates that were not run: {}.\n",
            untried.join(", ")
        ));
    }
    Ok(page)
}

/// Returns the row of `entry`, if it was checked.
fn row(entry: &Entry) -> Option<Result<String, Problem>> {
    let month = entry.checked.as_ref()?;
    Some(entry.expected().map(|expected| {
        let (builds, runs) = match expected {
            Expected::Value(_) => ("yes", "yes"),
            Expected::Failure(failure) if failure.at == Step::Build => ("no", ""),
            Expected::Failure(_) => ("yes", "no"),
        };
        let name = format!("`{}`", entry.name);
        let remarks = remarks(entry).join("; ");
        let cells = [name.as_str(), &entry.version, builds, runs, month, &remarks];
        let cells =
            cells.map(|cell| if cell.is_empty() { String::new() } else { format!(" {cell}") });
        format!("|{} |\n", cells.join(" |"))
    }))
}

/// Returns the remarks on a crate: its features, its note, and its alternatives.
fn remarks(entry: &Entry) -> Vec<String> {
    let features: Vec<_> = entry.features.iter().map(|name| format!("`{name}`")).collect();
    let built = match (entry.default_features, features.join(", ")) {
        (true, features) if features.is_empty() => None,
        (true, features) => Some(format!("with {features}")),
        (false, features) if features.is_empty() => Some("`default-features = false`".to_owned()),
        (false, features) => Some(format!("`default-features = false`, with {features}")),
    };
    let instead = entry.instead.as_ref().map(|instead| format!("instead: {instead}"));
    [built, entry.note.clone(), instead].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(entry: &str) -> String {
        row(&toml::from_str(entry).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn row_has_the_result_of_each_step() {
        let checked = "name = \"a\"\nversion = \"1.2.3\"\nchecked = \"2026-11\"\n";
        assert_eq!(
            row_of(&format!("{checked}value = \"1\"\nfeatures = [\"b\"]")),
            "| `a` | 1.2.3 | yes | yes | 2026-11 | with `b` |\n"
        );
        let failure = "instead = \"`c`\"\nfails = { at = \"build\", says = \"x\" }";
        assert_eq!(
            row_of(&format!("{checked}{failure}")),
            "| `a` | 1.2.3 | no | | 2026-11 | instead: `c` |\n"
        );
        let failure =
            "default-features = false\nnote = \"d\"\nfails = { at = \"run\", says = \"x\" }";
        assert_eq!(
            row_of(&format!("{checked}{failure}")),
            "| `a` | 1.2.3 | yes | no | 2026-11 | `default-features = false`; d |\n"
        );
    }

    #[test]
    fn unchecked_crate_has_no_row() {
        let guess = toml::from_str("name = \"a\"\nversion = \"1\"\nvalue = \"1\"").unwrap();
        assert!(row(&guess).is_none());
    }

    #[test]
    fn page_of_the_docs_is_up_to_date() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let sections = crate::catalogue::read(&root.join("tests/crates/catalogue")).unwrap();
        let stamp = toml::from_str(&read("tests/crates/checked.toml")).unwrap();
        assert_eq!(
            page(&stamp, &sections).unwrap(),
            read("docs/crates.md"),
            "tests/crates/run --table"
        );
    }
}
