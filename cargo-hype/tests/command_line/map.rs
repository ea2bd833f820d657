//! `cargo hype map`.

#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::LazyLock;

use insta::assert_snapshot;

use crate::build::EXAMPLES;
use crate::hype::{Hype, RedactedOutput, hype, target_directory};
use crate::typed::GUESTS;

/// Maps a function of an example over the lines in `directory/input`. The results are in `directory/output`.
fn map(directory: &Path, component: &str, function: &str) -> RedactedOutput {
    let (input, output) = (directory.join("input"), directory.join("output"));
    command(component, function, &input, &output).redacted().without_progress()
}

fn command(component: &str, function: &str, input: &Path, output: &Path) -> Hype {
    LazyLock::force(&EXAMPLES);
    let component = target_directory().join("hype").join(component);
    let [component, input, output] = [&component, input, output].map(|path| path.to_str().unwrap());
    hype(&["map", component, function, "--input", input, "--output", output])
}

/// Returns the results in the order of their indexes.
fn results(directory: &Path) -> String {
    let results = std::fs::read_to_string(directory.join("output")).unwrap();
    let mut lines: Vec<_> = results.split_inclusive('\n').collect();
    lines.sort_unstable();
    lines.concat()
}

#[test]
fn each_line_has_a_result() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), "hello\n\n\"two\\nlines\"\n3").unwrap();
    assert_snapshot!(map(directory.path(), "hello.wasm", "example"), @r#"
    status 0
    --- stderr
    3 done, 0 failed
    "#);
    assert_snapshot!(results(directory.path()), @r#"
    {"index":0,"value":"hello world!"}
    {"index":2,"value":"two\nlines world!"}
    {"index":3,"value":"3 world!"}
    "#);
}

#[test]
fn invalid_lines_fail_alone() {
    let directory = tempfile::tempdir().unwrap();
    let lines = "[\"a b a\", 1]\n[\"a\"]\n[\"b\", 2]\n\"c\"\n[\"d\", \"x\"]\n";
    std::fs::write(directory.path().join("input"), lines).unwrap();
    assert_snapshot!(map(directory.path(), "wordcount.wasm", "count"), @r#"
    status 1
    --- stderr
    5 done, 3 failed
    1 incompatible: item 4: parameter `most: usize` of `count`: expected usize, found the string "x"
    2 input: item 1: `count(text: String, most: usize) -> Words` takes 2 arguments, and 1 was given
    "#);
    assert_snapshot!(results(directory.path()), @r#"
    {"index":0,"value":{"total":3,"different":2,"most":[{"text":"a","count":2}]}}
    {"index":1,"error":{"kind":"input","message":"`count(text: String, most: usize) -> Words` takes 2 arguments, and 1 was given"}}
    {"index":2,"value":{"total":1,"different":1,"most":[{"text":"b","count":1}]}}
    {"index":3,"error":{"kind":"input","message":"`count(text: String, most: usize) -> Words` takes 2 arguments, and 1 was given"}}
    "#);
}

#[test]
fn second_run_computes_only_missing_results() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), "a\nb\nc\nd\n").unwrap();
    let kept = "{\"index\":2,\"value\":\"kept\"}\n{\"index\":0,\"value\":\"kept\"}\n";
    let torn = format!("{kept}{{\"index\":1,\"val");
    std::fs::write(directory.path().join("output"), torn).unwrap();
    assert_snapshot!(map(directory.path(), "hello.wasm", "example"), @r#"
    status 0
    --- stderr
    2 done, 0 failed; 2 had a result before
    "#);
    assert_snapshot!(results(directory.path()), @r#"
    {"index":0,"value":"kept"}
    {"index":1,"value":"b world!"}
    {"index":2,"value":"kept"}
    {"index":3,"value":"d world!"}
    "#);
    assert_snapshot!(map(directory.path(), "hello.wasm", "example"), @r#"
    status 0
    --- stderr
    0 done, 0 failed; 4 had a result before
    "#);
}

#[test]
fn other_file_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), "a\n").unwrap();
    std::fs::write(directory.path().join("output"), "dear all\n").unwrap();
    let output = map(directory.path(), "hello.wasm", "example");
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("contains something else than results"), "{output}");
    assert_eq!(results(directory.path()), "dear all\n");
}

#[test]
fn error_of_environment_is_no_result() {
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (directory.path().join("input"), directory.path().join("output"));
    for lines in ["a\n", "a\nb\nc\n"] {
        std::fs::write(&input, lines).unwrap();
        let command = command("hello.wasm", "example", &input, &output);
        let missing = directory.path().join("missing");
        let file = format!("{}:/data", missing.display());
        let failed = command.with_arguments(&["--file", &file]).redacted();
        assert_eq!(failed.status, 2, "{failed}");
        assert!(failed.stderr.contains("missing"), "{failed}");
        assert_eq!(results(directory.path()), "");
    }
}

#[cfg(unix)]
#[test]
fn pipes_are_input_and_output() {
    let directory = tempfile::tempdir().unwrap();
    let [input, output] = ["input", "output"].map(|name| directory.path().join(name));
    for pipe in [&input, &output] {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let writer = std::thread::spawn({
        let input = input.clone();
        move || std::fs::write(input, "a\n").unwrap()
    });
    let reader = std::thread::spawn({
        let output = output.clone();
        move || std::fs::read_to_string(output).unwrap()
    });
    let mapped = command("hello.wasm", "example", &input, &output).redacted();
    assert_eq!(mapped.status, 0, "{mapped}");
    writer.join().unwrap();
    assert_eq!(reader.join().unwrap(), "{\"index\":0,\"value\":\"a world!\"}\n");
}

#[test]
fn closed_output_ends_the_map() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input");
    std::fs::write(&input, "a\nb\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let command = command("hello.wasm", "example", &input, Path::new("-"));
    let mut running = command.start_with(writer);
    running.wait_for(" failed");
    assert_eq!(running.status(), Some(0));
}

/// Returns the data in the page of a report.
fn report_data(path: &Path) -> serde_json::Value {
    let page = std::fs::read_to_string(path).unwrap();
    let (_, data) = page.split_once("type=\"application/json\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn report_shows_all_lines_also_those_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let lines = "[\"a b a\", 1]\n\n[\"</script>\"]\n[\"b\", 2]\n[\"d\", \"x\"]\n";
    std::fs::write(directory.path().join("input"), lines).unwrap();
    let (input, output) = (directory.path().join("input"), directory.path().join("output"));
    let report = directory.path().join("report.html");
    let command = command("wordcount.wasm", "count", &input, &output);
    let failed = command.with_arguments(&["--report", report.to_str().unwrap()]).redacted();
    assert_eq!(failed.status, 1, "{failed}");
    let report = &report_data(&report)["report"];
    assert_eq!((&report["function"], &report["items"]), (&"count".into(), &4.into()));
    let failures = report["failures"].as_array().unwrap();
    let mut items: Vec<_> =
        failures.iter().map(|group| (&group["kind"], &group["first"][0]["item"])).collect();
    items.sort_by_key(|(kind, _)| kind.as_str());
    // The numbers are those of the lines.
    assert_eq!(items, [(&"incompatible".into(), &4.into()), (&"input".into(), &2.into())]);
}

#[cfg(unix)]
#[test]
fn interrupted_map_writes_its_report() {
    let directory = tempfile::tempdir().unwrap();
    let [input, output, report] =
        ["input", "output", "report.html"].map(|name| directory.path().join(name));
    for pipe in [&input, &output] {
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let command = command("hello.wasm", "example", &input, &output);
    let mut map = command.with_arguments(&["--report", report.to_str().unwrap()]).start();
    let mut results = BufReader::new(File::open(&output).unwrap());
    // The map waits for more, since the pipe stays open.
    let mut lines = File::options().write(true).open(&input).unwrap();
    lines.write_all(b"\na\n").unwrap();
    let mut result = String::new();
    results.read_line(&mut result).unwrap();
    assert_eq!(result, "{\"index\":1,\"value\":\"a world!\"}\n");
    map.interrupt();
    assert_eq!((map.status(), map.runs()), (Some(130), 0));
    let report = &report_data(&report)["report"];
    assert_eq!((&report["items"], &report["slowest"][0]["item"]), (&1.into(), &1.into()));
}

#[test]
fn report_that_cannot_be_written_stops_the_map_before_it_begins() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input"), "a\n").unwrap();
    let (input, output) = (directory.path().join("input"), directory.path().join("output"));
    let report = directory.path().join("missing").join("report.html");
    let command = command("hello.wasm", "example", &input, &output);
    let failed = command.with_arguments(&["--report", report.to_str().unwrap()]).redacted();
    assert_eq!(failed.status, 2, "{failed}");
    assert!(failed.stderr.contains("cannot write the report"), "{failed}");
    assert_eq!(results(directory.path()), "");
}

/// Maps a function over the rows in `directory/input.csv`. The results are in `directory/output` or `output.csv`.
fn map_rows(directory: &Path, component: &str, function: &str, output: &str) -> RedactedOutput {
    let [input, output] = ["input.csv", output].map(|name| directory.join(name));
    let [input, output] = [&input, &output].map(|path| path.to_str().unwrap());
    let mapped = hype(&["map", component, function, "--input", input, "--output", output]);
    mapped.redacted().without_progress()
}

/// Returns the path of the component of an example.
fn wordcount() -> String {
    LazyLock::force(&EXAMPLES);
    target_directory().join("hype/wordcount.wasm").to_str().unwrap().to_owned()
}

#[test]
fn columns_are_parameters_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let rows = "most,text\n1,a b a\n2,\"two\nlines\"\nx,c\n0,7\n";
    std::fs::write(directory.path().join("input.csv"), rows).unwrap();
    assert_snapshot!(map_rows(directory.path(), &wordcount(), "count", "output"), @r#"
    status 1
    --- stderr
    4 done, 1 failed
    1 incompatible: line 5: parameter `most: usize` of `count`: expected usize, found the string "x"
    "#);
    assert_snapshot!(results(directory.path()), @r#"
    {"index":0,"value":{"total":3,"different":2,"most":[{"text":"a","count":2}]}}
    {"index":1,"value":{"total":2,"different":2,"most":[{"text":"lines","count":1},{"text":"two","count":1}]}}
    {"index":3,"value":{"total":1,"different":1,"most":[]}}
    "#);
}

#[test]
fn columns_are_fields_of_the_only_parameter() {
    let directory = tempfile::tempdir().unwrap();
    let rows = "count,item,note\n1,007,\n2,,\"a, b\"\nmany,tea,\n4,tea,5\n";
    std::fs::write(directory.path().join("input.csv"), rows).unwrap();
    let map = || map_rows(directory.path(), &GUESTS, "echo_sale", "output.csv");
    assert_snapshot!(map(), @r#"
    status 1
    --- stderr
    4 done, 1 failed
    1 incompatible: line 4: parameter `sale: Sale` of `echo_sale`: at count: expected u32, found the string "many"
    "#);
    let output = directory.path().join("output.csv");
    let sorted = || {
        let results = std::fs::read_to_string(&output).unwrap();
        let (header, rows) = results.split_once('\n').unwrap();
        let mut rows: Vec<_> = rows.split_inclusive('\n').collect();
        rows.sort_unstable();
        format!("{header}\n{}", rows.concat())
    };
    assert_eq!(sorted(), "index,item,note,count\n0,007,,1\n1,,\"a, b\",2\n3,tea,5,4\n");
    // A failed row, and one that is torn, are computed again.
    std::fs::write(directory.path().join("input.csv"), rows.replace("many", "3")).unwrap();
    std::fs::write(&output, "index,item,note,count\n1,kept,,0\n0,00").unwrap();
    assert_snapshot!(map(), @r#"
    status 0
    --- stderr
    3 done, 0 failed; 1 had a result before
    "#);
    assert_eq!(sorted(), "index,item,note,count\n0,007,,1\n1,kept,,0\n2,tea,,3\n3,tea,5,4\n");
}

#[test]
fn table_that_does_not_fit_is_rejected_before_the_map_begins() {
    let directory = tempfile::tempdir().unwrap();
    for (rows, problem) in [
        ("text\na\n", "no column is named as the parameter `most: usize` of `count`"),
        ("text,most,x\na,1,2\n", "`count` has no parameter for the column `x`"),
        (
            "text,most\na,1\nb\n",
            "line 3 has another number of columns than the header: 1 instead of 2",
        ),
    ] {
        std::fs::write(directory.path().join("input.csv"), rows).unwrap();
        let failed = map_rows(directory.path(), &wordcount(), "count", "output");
        assert_eq!(failed.status, 2, "{failed}");
        assert!(failed.stderr.contains(problem), "{failed}");
    }
}

#[test]
fn value_without_row_ends_the_map() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input.csv"), "text,most\na,1\n").unwrap();
    let failed = map_rows(directory.path(), &wordcount(), "count", "output.csv");
    assert_eq!(failed.status, 2, "{failed}");
    let problem = "the value of item 0 has a list or a record in the field `most`";
    assert!(failed.stderr.contains(problem), "{failed}");
}
