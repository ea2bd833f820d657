//! What a person can do about a failure.

use hype_wire::{Failure, FailureKind};

/// How the guest's standard library says that there is no such file: as `Display` and as `Debug`,
/// which is what a panic shows. The number is WASI's, so that it was said in a closure.
const NOT_FOUND: [&str; 2] = ["(os error 44)", "code: 44, kind: NotFound"];

/// The way out of `failure`, where there is one that holds for all like it.
pub(crate) fn advice(failure: &Failure) -> Option<&'static str> {
    match failure.kind {
        FailureKind::Memory => {
            Some("allow it more: RunEnvironment::with_memory, or --memory of cargo hype call")
        }
        FailureKind::Deadline => {
            Some("give it longer: RunEnvironment::with_timeout, or --timeout of cargo hype call")
        }
        FailureKind::Stack => {
            Some("recurse less deeply: a loop, or a list of what is still to do, takes no stack")
        }
        FailureKind::Resources => {
            Some("keep less open at once: what is dropped or closed counts no more")
        }
        FailureKind::Power if failure.message.contains("RunEnvironment::allow_command") => {
            Some("grant it in the environment of the run, or by --allow-command of cargo hype call")
        }
        FailureKind::Power if failure.message.contains("RunEnvironment::") => {
            Some("grant it in the environment of the run, or by --allow-http of cargo hype call")
        }
        FailureKind::Result => {
            Some("write what is large to a volume or a file, and give back where it is")
        }
        // Which file, and whether it is outside of all that is shown, the guest's library doesn't say.
        FailureKind::Function | FailureKind::Panic if is_not_found(failure) => Some(
            "a closure sees only its own /tmp and what its environment shows it: a directory by \
             RunEnvironment::with_mount, a file by with_file, or --mount of cargo hype call",
        ),
        FailureKind::Incompatible if failure.message.contains("cannot write to the mount") => Some(
            "in a container, let it run as a user that can: RunEnvironment::with_run_as; or mount it \
             for reading",
        ),
        _ => None,
    }
}

fn is_not_found(failure: &Failure) -> bool {
    let mut texts = std::iter::once(&failure.message).chain(&failure.causes);
    texts.any(|text| NOT_FOUND.iter().any(|said| text.contains(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "No such file or directory (os error 44)";

    fn hint(kind: FailureKind, message: &str, causes: &[&str]) -> Option<&'static str> {
        let causes = causes.iter().map(|&cause| cause.to_owned()).collect();
        advice(&Failure { causes, ..Failure::new(kind, message) })
    }

    #[test]
    fn what_grants_a_power_is_named() {
        let granted_by = |call: &str| hint(FailureKind::Power, call, &[]).unwrap();
        assert!(granted_by("RunEnvironment::allow_command(\"uname\")").contains("--allow-command"));
        assert!(granted_by("RunEnvironment::allow_http(\"a.org\")").contains("--allow-http"));
    }

    #[test]
    fn a_file_that_is_not_there_may_not_be_shown() {
        let shows = |hint: Option<&str>| {
            hint.is_some_and(|hint| hint.contains("with_mount") && hint.contains("with_file"))
        };
        assert!(shows(hint(FailureKind::Function, SAID, &[])));
        assert!(shows(hint(FailureKind::Function, "cannot load", &["no weights", SAID])));
        let debug = "called `Result::unwrap()` on an `Err` value: Os { code: 44, kind: NotFound, \
                     message: \"No such file or directory\" }";
        assert!(shows(hint(FailureKind::Panic, debug, &[])));
    }

    #[test]
    fn other_failures_of_a_function_are_its_own() {
        assert_eq!(hint(FailureKind::Function, "not permitted (os error 63)", &[]), None);
        assert_eq!(hint(FailureKind::Trap, SAID, &[]), None);
    }

    #[test]
    fn limits_say_how_to_raise_them() {
        let hint = |kind| hint(kind, "too much", &[]).unwrap();
        assert!(hint(FailureKind::Memory).contains("with_memory"));
        assert!(hint(FailureKind::Deadline).contains("with_timeout"));
    }
}
