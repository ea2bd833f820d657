//! References in the documents.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace::{assert_none, files, root};

/// Folders whose paths the documents mention, such as `wire/src/manifest.rs`.
const FOLDERS: &[&str] = &[
    ".ci",
    "benches",
    "cargo-hype",
    "docker",
    "docs",
    "examples",
    "guest-sdk",
    "host",
    "hype-run",
    "stage",
    "tests",
    "wire",
    "wit",
];

#[test]
fn documents_mention_existing_paths() {
    let documents = files(&["md"]);
    let problems: Vec<_> = documents
        .iter()
        .flat_map(|file| mentioned_paths(&file.text).into_iter().map(move |path| (file, path)))
        .filter(|(file, path)| {
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            !root().join(path).exists() && !root().join(folder).join(path).exists()
        })
        .map(|(file, path)| format!("{} mentions {path}, which doesn't exist", file.path))
        .collect();
    assert_none(&problems, "name the path that the file or folder has now");
}

/// Returns the paths in code spans that begin with one of [`FOLDERS`]. Paths with a placeholder in capitals, and build
/// directories, are skipped.
fn mentioned_paths(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let spans = text.split('`').skip(1).step_by(2);
    let words = spans.flat_map(str::split_whitespace);
    words
        .filter(|word| word.chars().all(is_part) && !word.chars().any(|c| c.is_ascii_uppercase()))
        .filter(|word| word.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder)))
        .filter(|word| !word.split('/').any(|part| part == "target"))
        .collect()
}

#[test]
fn mentioned_paths_skips_placeholders_and_commands() {
    let text = "`wire/src/call.rs` and `cargo test`, `docs/NAME.md`, wire/src/none.rs, `a/b`, `tests/fuzz/run 60`";
    assert_eq!(Vec::from_iter(mentioned_paths(text)), ["tests/fuzz/run", "wire/src/call.rs"]);
}

#[test]
fn links_lead_to_existing_files_and_headings() {
    let documents = files(&["md"]);
    let mut problems = Vec::new();
    for file in &documents {
        let folder = root().join(&file.path).parent().map(Path::to_owned).unwrap_or_default();
        for link in links(&file.text) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root().join(&file.path) } else { folder.join(path) };
            let has_heading = || {
                let text = std::fs::read_to_string(&target).unwrap_or_default();
                heading.is_empty() || headings(&text).contains(heading)
            };
            if !target.exists() || (path.ends_with(".md") && !has_heading()) {
                problems.push(format!("{} links to {link}", file.path));
            }
        }
    }
    assert_none(&problems, "link to a file and a heading that exist");
}

/// mdBook renders only the pages that the summary lists.
#[test]
fn book_lists_every_page_once() {
    let documents = files(&["md"]);
    let summary = documents.iter().find(|file| file.path == "docs/SUMMARY.md");
    let listed: Vec<_> = summary.map_or_else(Vec::new, |summary| links(&summary.text));
    let pages = documents.iter().filter_map(|file| file.path.strip_prefix("docs/"));
    let problems: Vec<_> = pages
        .filter(|page| *page != "SUMMARY.md")
        .filter(|page| listed.iter().filter(|listed| *listed == page).count() != 1)
        .map(|page| format!("docs/SUMMARY.md doesn't list {page} once"))
        .collect();
    assert_none(&problems, "add the page to docs/SUMMARY.md, by which docs is built as a book");
}

/// Returns the relative links of a document.
fn links(text: &str) -> Vec<&str> {
    let parts = text.split("](").skip(1);
    let targets = parts.filter_map(|part| part.split([')', ' ']).next());
    targets.filter(|target| !target.contains("://") && !target.is_empty()).collect()
}

/// Returns the anchors of the headings of a document, as GitHub and mdBook form them.
fn headings(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn anchors_of_headings_have_no_punctuation() {
    let anchors = headings("# What a closure can't do, and `x`\ntext\n## Lifecycle rules");
    let expected = ["lifecycle-rules", "what-a-closure-cant-do-and-x"];
    assert_eq!(Vec::from_iter(anchors), expected);
}
