//! Names and sizes of files.

use crate::workspace::{File, assert_none, files};

/// The maximum number of lines of a file, without its tests.
const LINES: usize = 400;

/// The maximum number of lines of a function or an `impl` in the root of a crate or of a module.
const LINES_IN_A_ROOT: usize = 10;

/// Names that don't describe their content.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "imp", "manager", "misc", "util", "utils"];

#[test]
fn files_stay_below_the_line_limit() {
    let problems: Vec<_> = files(&["rs"])
        .iter()
        .filter(|file| !file.is_test())
        .filter_map(|file| {
            let lines = without_tests(&file.text).len();
            (lines > LINES).then(|| format!("{} has {lines} lines without its tests", file.path))
        })
        .collect();
    assert_none(
        &problems,
        &format!("at most {LINES}: split it at an idea that has a name of its own"),
    );
}

#[test]
fn crate_roots_contain_no_long_code() {
    let is_root = |file: &&File| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let is_root = name == "lib.rs" || name == "mod.rs";
        // An example shows a user's package, whose functions are in its lib.rs.
        is_root && !file.is_test() && !file.path.starts_with("examples/")
    };
    let problems: Vec<_> = files(&["rs"])
        .iter()
        .filter(is_root)
        .flat_map(|file| {
            long_items(&file.text).into_iter().map(|(line, lines)| {
                format!("{}:{line} begins a piece of code of {lines} lines", file.path)
            })
        })
        .collect();
    assert_none(
        &problems,
        &format!(
            "lib.rs and mod.rs hold docs, `mod`, `use`, and definitions without code over \
             {LINES_IN_A_ROOT} lines: move it to a module with a name"
        ),
    );
}

#[test]
fn file_names_describe_their_content() {
    let mut problems = Vec::new();
    for file in files(&["rs"]) {
        let stem = file.path.trim_end_matches(".rs");
        if let Some(part) = stem.split('/').find(|part| is_empty_name(part)) {
            problems.push(format!("{} is called `{part}`", file.path));
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(name) = module_name(line).filter(|name| is_empty_name(name)) {
                problems.push(format!("{}:{number} has a module `{name}`", file.path));
            }
        }
    }
    assert_none(&problems, "call it by the idea that is inside, or put it where it is used");
}

#[test]
fn ignored_tests_state_their_reason() {
    let problems = lines_that(&["rs"], |line| {
        let line = line.trim_start();
        line.starts_with("#[ignore]")
            || (line.starts_with("#[cfg_attr(") && line.trim_end().ends_with(", ignore)]"))
    });
    assert_none(&problems, "give the reason: #[ignore = \"needs a Docker daemon\"]");
}

#[test]
fn no_task_markers_remain() {
    // Concatenated, so that this file doesn't contain the words.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    let macros = [["to", "do!"], ["unimple", "mented!"]].map(|parts| parts.concat());
    let problems = lines_that(&["md", "rs", "sh", "toml"], |line| {
        words.iter().chain(&macros).any(|marker| has_word(line, marker))
    });
    assert_none(&problems, "do it, or write an issue and say in the text what doesn't work yet");
}

/// Returns the lines of Rust code outside `#[cfg(test)] mod .. { .. }`.
fn without_tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let rest = &lines[index..];
        if rest[0] == "#[cfg(test)]" && rest.get(1).is_some_and(|line| opens_module(line)) {
            index += rest.iter().position(|line| *line == "}").unwrap_or(rest.len()) + 1;
        } else {
            kept.push(rest[0]);
            index += 1;
        }
    }
    kept
}

fn opens_module(line: &str) -> bool {
    module_name(line).is_some() && line.ends_with('{')
}

/// Returns the first line and the length of each function, implementation and macro that is too long.
fn long_items(text: &str) -> Vec<(usize, usize)> {
    let lines = without_tests(text);
    let is_code = |line: &str| {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '!');
        words
            .take_while(|word| *word != "use" && *word != "mod")
            .any(|word| ["fn", "impl", "macro_rules!"].contains(&word))
    };
    let items = lines.iter().enumerate().filter(|(_, line)| {
        line.starts_with(|c: char| c.is_alphabetic()) && line.ends_with('{') && is_code(line)
    });
    items
        .map(|(index, _)| {
            let length = lines[index..].iter().position(|line| *line == "}");
            (index + 1, length.map_or(lines.len() - index, |last| last + 1))
        })
        .filter(|(_, length)| *length > LINES_IN_A_ROOT)
        .collect()
}

/// Returns the name of the module that a line declares or opens.
fn module_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.trim_start().trim_start_matches("(crate)").trim_start_matches("(super)"),
        None => line,
    };
    let name = line.trim_start().strip_prefix("mod ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn is_empty_name(name: &str) -> bool {
    name.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(index, _)| {
        let (before, after) = (&line[..index], &line[index + word.len()..]);
        !before.ends_with(is_letter) && !after.starts_with(is_letter)
    })
}

/// Returns the location and the text of each line for which `is_wrong` returns true.
fn lines_that(extensions: &[&str], is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let files = files(extensions);
    let lines =
        files.iter().flat_map(|file| (1..).zip(file.text.lines()).map(move |it| (file, it)));
    lines
        .filter(|(_, (_, line))| is_wrong(line))
        .map(|(file, (number, line))| format!("{}:{number}: {}", file.path, line.trim()))
        .collect()
}

#[test]
fn without_tests_omits_only_test_modules() {
    let text = "use a;\n#[cfg(test)]\nmod expansions;\nfn f() {}\n\n\
                #[cfg(test)]\nmod tests {\n    fn g() {\n    }\n}\nfn h() {}\n";
    let kept = ["use a;", "#[cfg(test)]", "mod expansions;", "fn f() {}", "", "fn h() {}"];
    assert_eq!(without_tests(text), kept);
}

#[test]
fn long_items_ignores_long_definitions() {
    let long = "    line\n".repeat(LINES_IN_A_ROOT);
    assert_eq!(long_items(&format!("use a;\npub(crate) fn f() {{\n{long}}}\n")), [(2, 12)]);
    assert_eq!(long_items(&format!("impl A for B {{\n{long}}}\n")), [(1, 12)]);
    assert_eq!(long_items(&format!("pub struct A {{\n{long}}}\npub use b::{{\n{long}}};\n")), []);
    assert_eq!(long_items("fn f() {\n    g()\n}\n"), []);
}

#[test]
fn module_names_are_checked_word_by_word() {
    assert!(is_empty_name("string_utils") && is_empty_name("imp"));
    assert!(!is_empty_name("import") && !is_empty_name("commonly"));
    assert_eq!(module_name("    pub(crate) mod manager {"), Some("manager"));
    assert_eq!(module_name("mod misc;"), Some("misc"));
    assert_eq!(module_name("pub mod imp {}"), Some("imp"));
    assert_eq!(module_name("model.run();"), None);
    assert!(has_word("// ABC: later", "ABC") && !has_word("mktemp hype.ABCABC", "ABC"));
}
