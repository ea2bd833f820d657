//! Staged maps: `cargo hype map --staged` and `--resume`, `attach`, `report`, and the collection of killed ones.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::build::EXAMPLES;
use crate::hype::{Hype, RedactedOutput, Running, hype, target_directory};

/// A stage and keys that several commands share.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        LazyLock::force(&EXAMPLES);
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn hype(&self, arguments: &[&str]) -> Hype {
        hype(arguments)
            .with_env("HYPE_STAGING", format!("file://{}", self.path("stage").display()))
            .with_env("XDG_STATE_HOME", self.path("state"))
    }

    /// Returns a command that maps the example over `input`, with results in `output`.
    fn map(&self, input: &str, output: &str, options: &[&str]) -> Hype {
        let component = target_directory().join("hype/wordcount.wasm");
        let (input, output) = (self.path(input), self.path(output));
        let [component, input, output] =
            [&component, &input, &output].map(|path| path.to_str().unwrap());
        let map = ["map", component, "count", "--input", input, "--output", output];
        self.hype(&[&map, options].concat())
    }

    /// Begins a staged map of these lines, and waits for their results. It waits for more lines.
    fn begin(&self, lines: &[String]) -> Begun {
        let [input, output] = ["pipe", "begun"].map(|name| self.path(name));
        for pipe in [&input, &output] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let mut running = self.map("pipe", "begun", &["--staged"]).start();
        let mut results = BufReader::new(File::open(&output).unwrap()).lines();
        let mut input = File::options().write(true).open(&input).unwrap();
        input.write_all(lines.concat().as_bytes()).unwrap();
        let id = running.find("         Map ").split(' ').next_back().unwrap().to_owned();
        // The third line is no result.
        for _ in (0..lines.len()).filter(|index| *index != 2) {
            results.next().unwrap().unwrap();
        }
        // It is written a second after the last line.
        let plan = self.path("stage/maps").join(&id).join("plan/0");
        while !plan.exists() {
            std::thread::yield_now();
        }
        Begun { running, id, _input: input }
    }

    fn keys(&self) -> usize {
        fs::read_dir(self.path("state/hype/keys")).map_or(0, Iterator::count)
    }

    /// Returns the results in the order of their indexes.
    fn results(&self, output: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path(output)).unwrap();
        let mut results: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        results.sort_by_key(|result| result["index"].as_u64());
        results
    }
}

/// A staged map whose input has not ended.
struct Begun {
    running: Running,
    id: String,
    _input: File,
}

/// Returns lines, the third of which has an argument of another type.
fn lines(count: usize) -> Vec<String> {
    let most = |index: usize| if index == 2 { "\"x\"".to_owned() } else { index.to_string() };
    (0..count).map(|index| format!("[\"a b c\", {}]\n", most(index))).collect()
}

fn assert_status(output: &RedactedOutput, status: i32) {
    assert_eq!(output.status, status, "{output}");
}

#[test]
fn interrupted_map_is_attached_reported_and_resumed() {
    let place = Place::new();
    let Begun { mut running, id, _input } = place.begin(&lines(70));
    running.interrupt();
    running.wait_for(&format!("the map {id} is kept in the stage"));
    running.wait_for(&format!("--resume {id}"));
    assert_eq!((running.status(), place.keys()), (Some(130), 1));

    let attach = |output: &str| {
        let output = place.path(output);
        place.hype(&["attach", &id, "--output", output.to_str().unwrap()]).redacted()
    };
    let attached = attach("results.jsonl");
    assert_status(&attached, 3);
    for part in ["70 done, 1 failed", "incomplete", "--resume"] {
        assert!(attached.stderr.contains(part), "{attached}");
    }
    let results = place.results("results.jsonl");
    // Another type may be right another time.
    assert_eq!((results.len(), &results[5]["value"]["total"]), (69, &3.into()));
    assert!(attach("results.jsonl").stderr.contains("1 done, 1 failed; 69 had a result before"));

    let report = place.hype(&["report", &id]).redacted();
    assert_status(&report, 0);
    for part in [
        format!("map        {id}\nfunction   count\n"),
        "70, which all have a result; its program has not staged all of its input".to_owned(),
        "\nfailed     1\n".to_owned(),
        "1 incompatible, first item 2:\n  parameter `most: usize` of `count`".to_owned(),
        "would have sufficed".to_owned(),
    ] {
        assert!(report.stdout.contains(&part), "{part:?} {report}");
    }
    let json = place.hype(&["report", &id[..14], "--json"]).output().stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["items"], &json["plan"]["items"]), (&70.into(), &70.into()));

    fs::write(place.path("input"), lines(75).concat()).unwrap();
    let resumed = place.map("input", "results.jsonl", &["--resume", &id]).redacted();
    assert_status(&resumed, 1);
    assert!(resumed.stderr.contains("6 done, 1 failed; 69 had a result before"), "{resumed}");
    let indexes: Vec<_> =
        place.results("results.jsonl").iter().map(|it| it["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..75).filter(|index| *index != 2).collect::<Vec<_>>());
    let report = place.hype(&["report", &id]).redacted();
    assert!(report.stdout.contains("items      75, which all have a result\n"), "{report}");

    assert_status(&place.hype(&["cancel", &id]).redacted(), 0);
    assert_eq!(place.keys(), 0);
    let gone = place.hype(&["report", &id]).redacted();
    assert_status(&gone, 2);
}

#[test]
fn map_that_is_read_to_its_end_is_removed() {
    let place = Place::new();
    fs::write(place.path("input"), "[\"a\", 1]\n\n[\"a b\", 1]\n").unwrap();
    let mapped = place.map("input", "output", &["--staged"]).redacted().without_progress();
    assert_status(&mapped, 0);
    let (id, rest) = mapped.stderr.split_once('\n').unwrap();
    assert!(id.starts_with("         Map hype-run-"), "{mapped}");
    assert_eq!(rest, "2 done, 0 failed\n");
    // A blank line doesn't count.
    assert_eq!(place.results("output")[1]["index"], 1);
    let runs = fs::read_dir(place.path("stage/runs")).map_or(0, Iterator::count);
    assert_eq!((place.keys(), runs), (0, 0));
    let again = place.map("input", "output", &["--staged"]).redacted();
    assert_status(&again, 2);
    assert!(again.stderr.contains("has results of another map"), "{again}");
}

#[test]
fn killed_map_and_its_key_are_collected() {
    let place = Place::new();
    let Begun { mut running, id, _input } = place.begin(&lines(2));
    running.kill();
    assert_eq!(place.keys(), 1);
    let gc = |options: &[&str]| {
        let command = place.hype(&[&["gc"], options].concat()).without_leftovers();
        let collected = command.with_env("XDG_STATE_HOME", place.path("state")).redacted();
        assert_status(&collected, 0);
        collected.stdout.contains(&format!("run {id}\n"))
    };
    // It is young.
    assert!(!gc(&[]) && place.keys() == 1);
    make_old(&place.path("stage"));
    assert!(gc(&["--dry-run"]) && place.keys() == 1);
    assert!(gc(&[]));
    assert_eq!(place.keys(), 0);
    assert!(!place.path("stage/maps").join(&id).join("plan/0").exists());
}

/// Sets the times of all files below a directory to a month ago.
fn make_old(directory: &Path) {
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            make_old(&path);
        } else {
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        }
    }
}

#[test]
fn page_of_a_report_is_opened_in_the_browser() {
    let place = Place::new();
    let Begun { mut running, id, _input } = place.begin(&lines(3));
    running.interrupt();
    assert_eq!(running.status(), Some(130));
    let (browser, opened, page) =
        (place.path("browser"), place.path("opened"), place.path("a.html"));
    fs::write(&browser, format!("#!/bin/sh\ncp \"$1\" {}\n", opened.display())).unwrap();
    fs::set_permissions(&browser, PermissionsExt::from_mode(0o755)).unwrap();
    let report = |options: &[&str]| {
        let command = place.hype(&[&["report", &id], options].concat());
        command.with_env("BROWSER", &browser).with_env("TMPDIR", place.0.path()).redacted()
    };
    assert_status(&report(&["--open"]), 0);
    assert!(fs::read_to_string(&opened).unwrap().starts_with("<!doctype html>"));
    fs::remove_file(&opened).unwrap();
    let html = ["--html", page.to_str().unwrap()];
    assert_status(&report(&html), 0);
    assert!(fs::read_to_string(&page).unwrap().contains("\"function\":\"count\""));
    assert!(!opened.exists());
    fs::write(&browser, "#!/bin/sh\nexit 4\n").unwrap();
    let failed = report(&[&html[..], &["--open"]].concat());
    assert_status(&failed, 3);
    assert!(failed.stderr.contains("cannot open the report with"), "{failed}");
}
