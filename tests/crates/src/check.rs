//! Checks a crate: builds a package, calls its function, and compares the result with the recorded one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Problem;
use crate::catalogue::{Entry, Expected, Failure, Step};
use crate::package::Package;

/// The exit status of the command `timeout` after a timeout.
const TIMED_OUT: i32 = 124;

/// The paths that checks use.
#[derive(Debug)]
pub struct Paths {
    /// The program `cargo-hype`.
    pub cargo_hype: PathBuf,
    /// The directory of the package `spotify-hype`.
    pub host: PathBuf,
    /// The directory of packages, logs and build artifacts.
    pub work: PathBuf,
}

/// The options of all checks.
#[derive(Debug)]
pub struct Options {
    /// Whether to check each crate's newest version instead of the recorded one.
    pub newest: bool,
    /// The timeout of each step, in seconds.
    pub seconds: u64,
}

/// The result of a check, compared with the recorded one.
#[derive(Debug)]
pub struct Checked {
    /// The version that was used, if cargo chose one.
    pub version: Option<String>,
    /// The difference from the recorded result, if there is one.
    pub difference: Option<String>,
    /// The file with the output of all steps.
    pub log: PathBuf,
}

/// The result of a check.
#[derive(Debug)]
enum Observed {
    Value(Value),
    Failure { at: Step, printed: String },
    TimedOut(Step),
}

/// Checks `entry`, and compares the result with the recorded one.
pub fn check(paths: &Paths, entry: &Entry, options: &Options) -> Result<Checked, Problem> {
    let packages = paths.work.join("packages");
    let package = Package::write(&packages, &paths.host, entry, options.newest)?;
    let logs = paths.work.join("logs");
    fs::create_dir_all(&logs)?;
    let log = logs.join(format!("{}.log", entry.name));
    let observed = observe(paths, entry, &package, &log, options.seconds)?;
    let difference = difference(&entry.expected()?, &observed);
    Ok(Checked { version: package.version(&entry.name), difference, log })
}

fn observe(
    paths: &Paths,
    entry: &Entry,
    package: &Package,
    log: &PathBuf,
    seconds: u64,
) -> Result<Observed, Problem> {
    let target = paths.work.join("target");
    let mut output = File::create(log)?;
    let run = |arguments: &[&OsStr], stdout: Stdio, stderr: &File| {
        Command::new("timeout")
            .args(["--kill-after=10", &seconds.to_string()])
            .arg(&paths.cargo_hype)
            .arg("hype")
            .args(arguments)
            .current_dir(package.directory())
            .env("CARGO_TARGET_DIR", &target)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr.try_clone()?)
            .spawn()?
            .wait_with_output()
    };
    let built = run(&["build".as_ref()], Stdio::from(output.try_clone()?), &output)?;
    if built.status.code() == Some(TIMED_OUT) {
        return Ok(Observed::TimedOut(Step::Build));
    }
    if !built.status.success() {
        return Ok(Observed::Failure { at: Step::Build, printed: read(log)? });
    }
    let component = package.component(&target);
    let mut arguments = vec!["call".as_ref(), component.as_os_str(), "check".as_ref()];
    arguments.extend(entry.arguments.iter().map(OsStr::new));
    let called = run(&arguments, Stdio::piped(), &output)?;
    std::io::Write::write_all(&mut output, &called.stdout)?;
    if called.status.code() == Some(TIMED_OUT) {
        return Ok(Observed::TimedOut(Step::Run));
    }
    if !called.status.success() {
        return Ok(Observed::Failure { at: Step::Run, printed: read(log)? });
    }
    Ok(Observed::Value(serde_json::from_slice(&called.stdout)?))
}

/// Describes the difference between the recorded and the observed result, if there is one.
fn difference(expected: &Expected<'_>, observed: &Observed) -> Option<String> {
    match (expected, observed) {
        (Expected::Value(expected), Observed::Value(value)) => {
            (expected != value).then(|| format!("returns {value} rather than {expected}"))
        }
        (Expected::Failure(Failure { at, says }), Observed::Failure { at: seen, printed }) => {
            if at != seen {
                return Some(format!("fails in step {seen:?} rather than {at:?}"));
            }
            (!printed.contains(says)).then(|| format!("fails without the message `{says}`"))
        }
        (_, Observed::Value(value)) => Some(format!("works, and returns {value}")),
        (_, Observed::Failure { at, .. }) => Some(format!("fails in step {at:?}")),
        (_, Observed::TimedOut(step)) => Some(format!("takes too long in step {step:?}")),
    }
}

fn read(log: &PathBuf) -> Result<String, Problem> {
    Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_as_json() {
        let expected = Expected::Value(json!({"a": 1, "b": [2]}));
        let value = Observed::Value(serde_json::from_str(r#"{"b":[2],"a":1}"#).unwrap());
        assert_eq!(difference(&expected, &value), None);
        let other = difference(&expected, &Observed::Value(json!(2)));
        assert_eq!(other.as_deref(), Some(r#"returns 2 rather than {"a":1,"b":[2]}"#));
    }

    #[test]
    fn failures_are_compared_by_step_and_output() {
        let failure = Failure { at: Step::Build, says: "no clang".into() };
        let expected = Expected::Failure(&failure);
        let seen = |at, printed: &str| Observed::Failure { at, printed: printed.into() };
        assert_eq!(difference(&expected, &seen(Step::Build, "there is no clang")), None);
        for other in [
            seen(Step::Build, "no such file"),
            seen(Step::Run, "no clang"),
            Observed::TimedOut(Step::Build),
            Observed::Value(json!(1)),
        ] {
            assert!(difference(&expected, &other).is_some(), "{other:?}");
        }
    }
}
