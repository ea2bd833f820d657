//! What a person can do about a failure.

use hype_wire::{Failure, FailureKind, Remedy, cause_messages};

/// What the guest's standard library says of what a closure can't do, and what to do instead.
///
/// An error is recognised as `Display` and as `Debug`, which is what a panic shows. The numbers are WASI's,
/// which differ from those of other systems, so that they were said in a closure. docs/closures.md quotes these
/// messages; a test provokes each.
const SAID: &[(&[&str], &str)] = &[
    (
        &["(os error 44)", "code: 44, kind: NotFound"],
        "a closure sees only its own /tmp and what its environment shows it: a directory by \
         RunEnvironment::with_mount, a file by with_file, or --mount of cargo hype call",
    ),
    (
        &["(os error 63)", "code: 63, kind: PermissionDenied"],
        "it is shown for reading alone, or the path leads out of a mount, by `..` or by a link to an \
         absolute path: mount it with mount_read_write, and name the path below the mount",
    ),
    (
        &["no filesystem on wasm"],
        "the temporary directory is \"/tmp\", and std::env::temp_dir() doesn't know: use \
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
        "a closure has one thread, so that nobody else could end this wait: do without the lock, channel or \
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
        "files cannot be locked in a closure: nobody else sees its /tmp, and a volume is written to by one \
         closure at a time if the program submits them one after the other",
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
        "this is what reading a directory like a file gives in a closure: std::fs::read_dir lists it",
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

/// How serde refuses a path that is not UTF-8, on either side.
const NOT_UTF8: &str = "path contains invalid UTF-8 characters";

/// A file of the guest's standard library in which `unsupported` is said of calls that no closure has.
const UNSUPPORTED_AT: &str = "sys/pal/wasi/os.rs";

/// The way out of `failure`, where there is one that holds for all like it.
pub(crate) fn advice(failure: &Failure) -> Option<&'static str> {
    failure.remedy.and_then(by_remedy).or_else(|| by_kind(failure))
}

/// The way out that the runner names.
fn by_remedy(remedy: Remedy) -> Option<&'static str> {
    match remedy {
        Remedy::LessMemory => Some(
            "no limit can be raised here: give each closure a part of the data, or read it piece by piece",
        ),
        Remedy::GrantCommand => {
            Some("grant it in the environment of the run, or by --allow-command of cargo hype call")
        }
        Remedy::GrantHttp => {
            Some("grant it in the environment of the run, or by --allow-http of cargo hype call")
        }
        Remedy::Return => Some(
            "return from the function, with an error if need be: what a closure says by its exit status is \
             lost",
        ),
        Remedy::OtherUser => Some(
            "in a container, let it run as a user that can: RunEnvironment::with_run_as; or mount it \
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
            "recurse less deeply: a loop, or a list of what is still to do, takes no stack; make a large \
             array by vec![0; N], which Box::new([0; N]) would make on the stack first",
        ),
        FailureKind::Resources => {
            Some("keep less open at once: what is dropped or closed counts no more")
        }
        FailureKind::Result => {
            Some("write what is large to a volume or a file, and give back where it is")
        }
        FailureKind::Panic if is_unsupported(failure) => Some(
            "std::process::id() and std::env::split_paths() don't exist in a closure: tell runs apart by the \
             variable HYPE_EXECUTION_ID, and split paths at ':'",
        ),
        FailureKind::Function | FailureKind::Panic => said(failure),
        FailureKind::Trap if has_cause(failure, "invalid utf-8 sequence") => Some(
            "a path that is not UTF-8 cannot leave the closure: check paths that come from elsewhere by \
             Path::to_str, and rename the files",
        ),
        FailureKind::Trap if has_cause(failure, "wasm `unreachable` instruction executed") => Some(
            "this is how std::process::abort, a panic within a panic, and a panic hook that replaces hype's \
             end: see the closure's output above; call the hook of std::panic::take_hook in yours",
        ),
        _ => None,
    }
}

/// The way out where arguments cannot be sent because of `error`, where there is one.
pub(crate) fn argument_advice(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let mut texts = cause_messages(error).into_iter().chain([error.to_string()]);
    texts.any(|text| text.contains(NOT_UTF8)).then_some(PATH_AS_BYTES)
}

fn said(failure: &Failure) -> Option<&'static str> {
    let texts: Vec<&str> = texts(failure).collect();
    let is_said = |message: &&str| texts.iter().any(|text| text.contains(message));
    let found = SAID.iter().find(|(messages, _)| messages.iter().any(&is_said));
    found.map(|(_, advice)| *advice)
}

fn texts(failure: &Failure) -> impl Iterator<Item = &str> {
    std::iter::once(&failure.message).chain(&failure.causes).map(String::as_str)
}

fn is_unsupported(failure: &Failure) -> bool {
    let at = failure.location.as_ref();
    failure.message == "unsupported" && at.is_some_and(|at| at.file.ends_with(UNSUPPORTED_AT))
}

fn has_cause(failure: &Failure, words: &str) -> bool {
    failure.causes.iter().any(|cause| cause.contains(words))
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
    fn what_grants_a_power_is_named() {
        let granted_by = |remedy| {
            advice(&Failure::new(FailureKind::Power, "denied").with_remedy(remedy)).unwrap()
        };
        assert!(granted_by(Remedy::GrantCommand).contains("--allow-command"));
        assert!(granted_by(Remedy::GrantHttp).contains("--allow-http"));
    }

    #[test]
    fn a_file_that_is_not_there_may_not_be_shown() {
        let shows = |hint: Option<&str>| {
            hint.is_some_and(|hint| hint.contains("with_mount") && hint.contains("with_file"))
        };
        assert!(shows(hint(FailureKind::Function, NOT_FOUND, &[])));
        assert!(shows(hint(FailureKind::Function, "cannot load", &["no weights", NOT_FOUND])));
        let debug = "called `Result::unwrap()` on an `Err` value: Os { code: 44, kind: NotFound, \
                     message: \"No such file or directory\" }";
        assert!(shows(hint(FailureKind::Panic, debug, &[])));
    }

    #[test]
    fn other_failures_of_a_function_are_its_own() {
        assert_eq!(hint(FailureKind::Function, "there is no flour", &["unsupported"]), None);
        assert_eq!(hint(FailureKind::Panic, "unsupported", &[]), None);
        assert_eq!(hint(FailureKind::Trap, NOT_FOUND, &[]), None);
    }

    #[test]
    fn a_call_that_no_closure_has_is_known_by_its_place() {
        let at = |file: &str| {
            let location = Some(Location { file: file.to_owned(), line: 106 });
            advice(&Failure { location, ..Failure::new(FailureKind::Panic, "unsupported") })
        };
        assert!(at("/rustc/1/library/std/src/sys/pal/wasi/os.rs").unwrap().contains("process::id"));
        assert_eq!(at("src/lib.rs"), None);
    }

    #[test]
    fn limits_say_how_to_raise_them() {
        let limited = |kind| hint(kind, "too much", &[]).unwrap();
        assert!(limited(FailureKind::Memory).contains("with_memory"));
        assert!(limited(FailureKind::Deadline).contains("with_timeout"));
    }

    #[test]
    fn the_memory_that_webassembly_has_cannot_be_raised() {
        let failure = Failure::new(FailureKind::Memory, "`hoard` needed more memory than 4 GiB");
        let failure = failure.with_remedy(Remedy::LessMemory);
        assert!(!advice(&failure).unwrap().contains("with_memory"));
    }
}
