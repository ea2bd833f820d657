//! Hints about failures.

use hype_wire::{Failure, FailureKind, Remedy, cause_messages};

/// Messages of the guest's standard library about operations that a closure doesn't support, each with a hint.
///
/// Each error is matched in its `Display` form and in its `Debug` form, which a panic contains. The numbers are WASI's,
/// which differ from those of other systems, so that a match comes from a closure. docs/closures.md quotes these
/// messages, and a test provokes each.
const MESSAGE_HINTS: &[(&[&str], &str)] = &[
    (
        &["(os error 44)", "code: 44, kind: NotFound"],
        "a closure sees only its own /tmp and the paths of its environment: add a directory by \
         RunEnvironment::with_mount, a file by with_file, or --mount of cargo hype call",
    ),
    (
        &["(os error 63)", "code: 63, kind: PermissionDenied"],
        "it is mounted read-only, or the path leads out of a mount, by `..` or by a link to an \
         absolute path: mount it with mount_read_write, and use a path below the mount",
    ),
    (
        &["no filesystem on wasm"],
        "the temporary directory is \"/tmp\", which std::env::temp_dir() doesn't return: use \
         tempfile::tempfile_in(\"/tmp\"), tempdir_in(\"/tmp\") or NamedTempFile::new_in(\"/tmp\"); where a \
         dependency asks, call tempfile::env::override_temp_dir(\"/tmp\".as_ref()) first",
    ),
    (
        &["(os error 58)", "code: 58, kind: Unsupported"],
        "a closure has one thread: run several closures at once instead, by Submitter::spawn for each; \
         rayon works without a pool of your own",
    ),
    (
        &["condvar wait not supported", "cannot recursively acquire mutex"],
        "a closure has one thread, so that no other thread could end this wait: do without the lock, channel or \
         barrier, or run several closures at once",
    ),
    (
        &["(os error 52)", "code: 52, kind: Unsupported"],
        "files have no permissions in a closure: leave set_permissions out, e.g. with \
         #[cfg(not(target_family = \"wasm\"))], and set them in the program",
    ),
    (
        &[
            "lock() not supported",
            "lock_shared() not supported",
            "lock acquisition failed due to I/O error",
        ],
        "files cannot be locked in a closure: its /tmp is private, and only one closure at a time writes to a volume \
         if the program submits them one after the other",
    ),
    (
        &["(os error 25)", "code: 25, kind: Uncategorized"],
        "names of files are UTF-8 in a closure: rename the file",
    ),
    (&[NOT_UTF8], PATH_AS_BYTES),
    (
        &["operation not supported on this platform"],
        "a closure has no sockets, no processes and no second handles of a file: send requests by \
         hype::http and run programs by hype::process::Command, where the environment grants them; open a \
         file again in place of try_clone",
    ),
    (
        &["(os error 8)", "code: 8, kind: Uncategorized"],
        "reading a directory like a file fails with this error in a closure: std::fs::read_dir lists it",
    ),
    (
        &["getting the number of hardware threads is not supported"],
        "a closure has one thread: count with one, e.g. `available_parallelism().map_or(1, NonZero::get)`",
    ),
    (
        &["capacity overflow"],
        "addresses have 32 bits in a closure, and one Vec or String holds less than 2 GiB: work on the data \
         in parts, or give each closure a part",
    ),
];

const PATH_AS_BYTES: &str = "a PathBuf crosses as text: pass a path that is not UTF-8 as a Vec<u8>, by \
                             OsStr::as_encoded_bytes";

/// The message with which serde rejects a path that is not UTF-8, in the guest and here.
const NOT_UTF8: &str = "path contains invalid UTF-8 characters";

/// The file of the guest's standard library whose functions panic with `unsupported`.
const UNSUPPORTED_AT: &str = "sys/pal/wasi/os.rs";

/// Returns a hint about `failure`, if one is known.
pub(crate) fn advice(failure: &Failure) -> Option<&'static str> {
    failure.remedy.and_then(by_remedy).or_else(|| by_kind(failure))
}

/// Returns the hint for the remedy that the runner names.
fn by_remedy(remedy: Remedy) -> Option<&'static str> {
    match remedy {
        Remedy::LessMemory => Some(
            "this limit cannot be raised: give each closure a part of the data, or read it in parts",
        ),
        Remedy::GrantCommand => {
            Some("grant it in the environment of the run, or by --allow-command of cargo hype call")
        }
        Remedy::GrantHttp => {
            Some("grant it in the environment of the run, or by --allow-http of cargo hype call")
        }
        Remedy::Return => Some(
            "return from the function, with an error if need be: the exit status of a closure is \
             ignored",
        ),
        Remedy::OtherUser => Some(
            "in a container, run as a user that can: RunEnvironment::with_run_as; or mount it \
             for reading",
        ),
        _ => None,
    }
}

fn by_kind(failure: &Failure) -> Option<&'static str> {
    match failure.kind {
        FailureKind::Memory => {
            Some("allow it more: RunEnvironment::with_memory, or --memory of cargo hype call")
        }
        FailureKind::Deadline => {
            Some("give it longer: RunEnvironment::with_timeout, or --timeout of cargo hype call")
        }
        FailureKind::Stack => Some(
            "recurse less deeply: use a loop or a work list; create a large array by vec![0; N], since \
             Box::new([0; N]) creates it on the stack first",
        ),
        FailureKind::Resources => {
            Some("keep fewer resources open at the same time: dropped and closed ones don't count")
        }
        FailureKind::Result => Some("write large data to a volume, and return its path"),
        FailureKind::Panic if is_unsupported(failure) => Some(
            "std::process::id() and std::env::split_paths() are not available in a closure: use the \
             variable HYPE_EXECUTION_ID to distinguish runs, and split paths at ':'",
        ),
        FailureKind::Function | FailureKind::Panic => by_message(failure),
        FailureKind::Trap if has_cause(failure, "invalid utf-8 sequence") => Some(
            "a path that is not UTF-8 cannot leave the closure: check paths from outside by \
             Path::to_str, and rename the files",
        ),
        FailureKind::Trap if has_cause(failure, "wasm `unreachable` instruction executed") => Some(
            "std::process::abort, a panic within a panic, and a panic hook that replaces hype's hook end in this \
             trap: see the closure's output above; call the hook of std::panic::take_hook in yours",
        ),
        _ => None,
    }
}

/// Returns a hint about arguments that can't be encoded because of `error`, if one is known.
pub(crate) fn argument_advice(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut texts = cause_messages(error).into_iter().chain([error.to_string()]);
    texts.any(|text| text.contains(NOT_UTF8)).then_some(PATH_AS_BYTES)
}

fn by_message(failure: &Failure) -> Option<&'static str> {
    let texts: Vec<&str> = texts(failure).collect();
    let is_contained = |message: &&str| texts.iter().any(|text| text.contains(message));
    let found = MESSAGE_HINTS.iter().find(|(messages, _)| messages.iter().any(&is_contained));
    found.map(|(_, hint)| *hint)
}

fn texts(failure: &Failure) -> impl Iterator<Item = &str> {
    std::iter::once(&failure.message).chain(&failure.causes).map(String::as_str)
}

fn is_unsupported(failure: &Failure) -> bool {
    let at = failure.location.as_ref();
    failure.message == "unsupported" && at.is_some_and(|at| at.file.ends_with(UNSUPPORTED_AT))
}

fn has_cause(failure: &Failure, text: &str) -> bool {
    failure.causes.iter().any(|cause| cause.contains(text))
}

#[cfg(test)]
mod tests {
    use hype_wire::Location;

    use super::*;

    const NOT_FOUND: &str = "No such file or directory (os error 44)";

    fn hint(kind: FailureKind, message: &str, causes: &[&str]) -> Option<&'static str> {
        let causes = causes.iter().map(|&cause| cause.to_owned()).collect();
        advice(&Failure { causes, ..Failure::new(kind, message) })
    }

    #[test]
    fn denied_power_hint_names_the_grant() {
        let granted_by = |remedy| {
            advice(&Failure::new(FailureKind::Power, "denied").with_remedy(remedy)).unwrap()
        };
        assert!(granted_by(Remedy::GrantCommand).contains("--allow-command"));
        assert!(granted_by(Remedy::GrantHttp).contains("--allow-http"));
    }

    #[test]
    fn missing_file_hint_names_mounts_and_files() {
        let names_both = |hint: Option<&str>| {
            hint.is_some_and(|hint| hint.contains("with_mount") && hint.contains("with_file"))
        };
        assert!(names_both(hint(FailureKind::Function, NOT_FOUND, &[])));
        assert!(names_both(hint(FailureKind::Function, "cannot load", &["no weights", NOT_FOUND])));
        let debug = "called `Result::unwrap()` on an `Err` value: Os { code: 44, kind: NotFound, \
                     message: \"No such file or directory\" }";
        assert!(names_both(hint(FailureKind::Panic, debug, &[])));
    }

    #[test]
    fn unknown_failure_has_no_hint() {
        assert_eq!(hint(FailureKind::Function, "there is no flour", &["unsupported"]), None);
        assert_eq!(hint(FailureKind::Panic, "unsupported", &[]), None);
        assert_eq!(hint(FailureKind::Trap, NOT_FOUND, &[]), None);
    }

    #[test]
    fn unsupported_call_is_recognised_by_its_file() {
        let at = |file: &str| {
            let location = Some(Location { file: file.to_owned(), line: 106 });
            advice(&Failure { location, ..Failure::new(FailureKind::Panic, "unsupported") })
        };
        assert!(at("/rustc/1/library/std/src/sys/pal/wasi/os.rs").unwrap().contains("process::id"));
        assert_eq!(at("src/lib.rs"), None);
    }

    #[test]
    fn limit_hints_name_the_setting() {
        let limited = |kind| hint(kind, "too much", &[]).unwrap();
        assert!(limited(FailureKind::Memory).contains("with_memory"));
        assert!(limited(FailureKind::Deadline).contains("with_timeout"));
    }

    #[test]
    fn webassembly_memory_limit_hint_suggests_no_setting() {
        let failure = Failure::new(FailureKind::Memory, "`hoard` needed more memory than 4 GiB");
        let failure = failure.with_remedy(Remedy::LessMemory);
        assert!(!advice(&failure).unwrap().contains("with_memory"));
    }
}
