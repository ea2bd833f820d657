//! Provokes each message that docs/closures.md quotes.

use std::time::Duration;

use futures::future::join_all;
use hype::{Component, ErrorKind, FailureKind, HostDirectory, RunEnvironment, Submitter};
use test_guests::differences::{differ, give_path, keep_array, take_path, take_size};
use test_guests::ends;

use crate::cases::values::component;
use crate::failure;

const PAGE: &str = include_str!("../../../docs/closures.md");

/// The input of `differ`, a part of the expected text, and a part of the expected hint, if any.
const CASES: &[(&str, &str, &str)] = &[
    ("thread spawn", "panicked", "several closures at once"),
    ("thread scope", "failed to spawn thread", "several closures at once"),
    ("thread builder", "failed: Not supported (os error 58)", "several closures at once"),
    ("thread parallelism", "failed: getting the number", "count with one"),
    ("thread condvar", "panicked", "one thread"),
    ("thread barrier", "condvar wait not supported", "one thread"),
    ("thread mutex", "panicked", "one thread"),
    ("thread others", "name None", ""),
    ("rayon all", "4950 1 2 3 on 1 thread", ""),
    ("rayon pool", "failed: Not supported (os error 58)", "rayon works without a pool"),
    ("rayon own pool", "built", ""),
    ("fs missing", "failed: No such file", "with_mount"),
    ("fs root", "failed: No such file", "with_mount"),
    ("fs read-only", "failed: Operation not permitted", "mount_read_write"),
    ("fs dots", "failed: Operation not permitted", "`..`"),
    ("fs link", "failed: Operation not permitted", "a link to an absolute path"),
    ("fs temp_dir", "panicked", "tempfile_in(\"/tmp\")"),
    ("fs tempfile", "no filesystem on wasm", "tempfile_in(\"/tmp\")"),
    ("fs tempfile by name", "made", ""),
    ("fs directory", "failed: Bad file descriptor", "read_dir"),
    ("fs try_clone", "failed: operation not supported", "open a file again"),
    ("fs lock", "failed: lock() not supported", "cannot be locked"),
    ("fs try_lock", "failed: lock acquisition failed due to I/O error", "cannot be locked"),
    ("fs try_lock, unwrapped", "panicked", "cannot be locked"),
    ("fs unlock", "failed: unlock() not supported", "cannot be locked"),
    ("fs set_permissions", "failed: Function not implemented", "no permissions"),
    ("fs set_permissions of a file", "failed: Function not implemented", "no permissions"),
    ("fs readonly", "readonly true", ""),
    ("fs no text", "invalid utf-8 sequence", "Path::to_str"),
    ("fs before 1970", "failed: Invalid argument (os error 28)", ""),
    ("fs mount", "failed: Invalid argument (os error 28)", ""),
    ("fs current directory", "failed: No such file", "with_mount"),
    ("env current_exe", "failed: operation not supported", ""),
    ("env join_paths", "failed: not supported on wasm yet", ""),
    ("env split_paths", "panicked", "split paths at ':'"),
    ("env others", "None value 0 \"\" \"\" wasm32", ""),
    ("process id", "panicked", "HYPE_EXECUTION_ID"),
    ("process command", "failed: operation not supported", "hype::process::Command"),
    ("process pipe", "failed: operation not supported", ""),
    ("process exit", "called `exit`", "return from the function"),
    ("process abort", "trapped", "std::process::abort"),
    ("net connect", "failed: operation not supported", "hype::http"),
    ("net bind", "failed: operation not supported", "hype::http"),
    ("net name", "failed: operation not supported", "hype::http"),
    ("net number", "Some(1.1.1.1:80)", ""),
    ("memory all", "needed more memory", "a part of the data"),
    ("memory one", "panicked", "2 GiB"),
    ("ends panic", "panicked", ""),
    ("ends caught", "panicked", ""),
    ("ends panic_any", "a value that is no text", ""),
    ("ends resume", "trapped", "a panic hook that replaces hype's"),
    ("ends hook", "trapped", "a panic hook that replaces hype's"),
    ("ends chained hook", "panicked", ""),
    ("ends backtrace", "unsupported backtrace", ""),
    ("ends cycle", "failed: bitten", ""),
    ("ends local time", "+00:00", ""),
];

/// Checks the result of each case, and that some case provokes each quoted message.
pub async fn provoke_quoted_messages(submitter: &Submitter) {
    let mut texts = join_all(CASES.iter().map(|(what, ..)| result_text(submitter, what))).await;
    let wrong: Vec<_> =
        CASES.iter().zip(&texts).filter(|(case, text)| !is_expected(case, text)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    texts.extend(other_reports(submitter).await);
    let missing: Vec<_> = quoted("## While it runs")
        .into_iter()
        .filter(|message| !texts.iter().any(|text| contains(text, message)))
        .collect();
    assert!(missing.is_empty(), "docs/closures.md quotes what nothing provokes: {missing:#?}");
}

fn is_expected((_, part, hint): &(&str, &str, &str), text: &str) -> bool {
    let (got, hinted) = text.split_once("\nHint: ").unwrap_or((text, ""));
    got.contains(part) && hinted.contains(hint)
}

/// Returns the value or the error report of one case.
async fn result_text(submitter: &Submitter, what: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let shown = HostDirectory::new(directory.path()).mount_read_only("/shown");
    let env = RunEnvironment::new().with_mount(shown);
    match submitter.submit(differ(what.to_owned()), &env).await {
        Ok(text) => text,
        Err(error) => error.report(),
    }
}

/// Returns the reports of failures that `differ` can't provoke.
async fn other_reports(submitter: &Submitter) -> Vec<String> {
    let env = RunEnvironment::new();
    let patient = env.clone().with_timeout(Duration::from_secs(1));
    let waits = submitter.submit(differ("thread recv".into()), &patient).await;
    let (waits, _) = failure(waits, FailureKind::Deadline);
    let size = usize::try_from(u64::MAX).unwrap();
    let (size, _) =
        failure(submitter.submit(take_size(size), &env).await, FailureKind::Incompatible);
    let (deep, _) = failure(submitter.submit(ends::overflow(), &env).await, FailureKind::Stack);
    let (large, _) = failure(submitter.submit(keep_array(2), &env).await, FailureKind::Stack);
    let (path, _) = failure(submitter.submit(give_path(), &env).await, FailureKind::Function);
    let (_, listing) = listing(submitter).await;
    [waits, size, deep, large, path]
        .map(|error| error.report())
        .into_iter()
        .chain([listing])
        .collect()
}

/// Lists a directory that holds a name that is not UTF-8. Returns the names and the output of the run.
async fn listing(submitter: &Submitter) -> (Vec<String>, String) {
    use futures::StreamExt;
    use std::os::unix::ffi::OsStrExt;

    let directory = tempfile::tempdir().unwrap();
    for name in [&b"a"[..], b"b\xff", b"c"] {
        std::fs::write(directory.path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    let shown = HostDirectory::new(directory.path()).mount_read_only("/shown");
    let env = RunEnvironment::new().with_mount(shown);
    let run = submitter.spawn(test_guests::surroundings::list("/shown".into()), &env);
    let lines: Vec<_> = run.logs().map(|line| line.text).collect().await;
    (run.wait().await.unwrap(), lines.join("\n"))
}

pub async fn non_utf8_name_is_omitted_with_a_warning(submitter: &Submitter) {
    let (names, output) = listing(submitter).await;
    assert_eq!(names, ["a", "c"]);
    assert!(output.contains(r#"a directory is listed without "b\xFF": names"#), "{output}");
}

pub async fn array_larger_than_stack_differs_from_wild_address(submitter: &Submitter) {
    use test_guests::differences::{fill_beyond_memory, read_nowhere};

    let env = RunEnvironment::new();
    for mib in [1, 2, 64, 1000] {
        let (error, _) = failure(submitter.submit(keep_array(mib), &env).await, FailureKind::Stack);
        assert!(error.report().contains("vec![0; N]"), "{error:?}");
    }
    for offset in [-4, -(1 << 20), i32::MIN] {
        failure(submitter.submit(read_nowhere(offset), &env).await, FailureKind::Trap);
    }
    failure(submitter.submit(fill_beyond_memory(), &env).await, FailureKind::Trap);
}

pub async fn oversized_number_is_explained(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let closure = component.function("take_size").unwrap().bind::<bool>((1_u64 << 32,));
    let result = submitter.submit(closure, &RunEnvironment::new()).await;
    let (_, failure) = failure(result, FailureKind::Incompatible);
    assert_eq!(
        failure.message,
        "parameter `size: usize` of `take_size`: expected usize, found the number 4294967296: in a \
         closure `usize` has 32 bits; take `u64` instead"
    );
}

/// Returns the quoted compiler messages that appear in none of `pinned`, the snapshots of other tests.
///
/// # Panics
///
/// Panics if the page has no such section.
pub fn unpinned(pinned: &[String]) -> Vec<String> {
    let messages = quoted("## When it is compiled").into_iter();
    messages.filter(|message| !pinned.iter().any(|text| contains(text, message))).collect()
}

pub async fn non_utf8_path_is_rejected_on_both_sides(submitter: &Submitter) {
    use std::os::unix::ffi::OsStrExt;

    let env = RunEnvironment::new();
    let (error, _) = failure(submitter.submit(give_path(), &env).await, FailureKind::Function);
    assert!(error.report().contains("pass a path that is not UTF-8 as a Vec<u8>"), "{error:?}");
    let path = std::ffi::OsStr::from_bytes(b"/tmp/\xff");
    let error = submitter.submit(take_path(path.into()), &env).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.report().contains("pass a path that is not UTF-8 as a Vec<u8>"), "{error:?}");
}

/// Returns the messages that a section of the page quotes: code with a space in it, in the second column.
fn quoted(section: &str) -> Vec<String> {
    let (_, rest) = PAGE.split_once(&format!("\n{section}\n")).expect("the section");
    let text = rest.split("\n## ").next().unwrap_or(rest);
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let messages: Vec<_> =
        rows.filter_map(|row| row.split(" | ").nth(1)).flat_map(code_spans).collect();
    assert!(messages.len() > 10, "{messages:?}");
    messages
}

/// Returns the code spans of a cell that contain a space.
fn code_spans(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let fence = &rest[start..start + rest[start..].find(|c| c != '`').unwrap_or(1)];
        let inside = &rest[start + fence.len()..];
        let end = inside.find(fence).expect("the end of the code");
        let message = inside[..end].trim();
        if message.contains(' ') {
            found.push(message.to_owned());
        }
        rest = &inside[end + fence.len()..];
    }
    found
}

/// Returns whether `text` contains the parts of `message` between its `…`, in this order.
fn contains(text: &str, message: &str) -> bool {
    let mut rest = text;
    message.split('…').all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}
