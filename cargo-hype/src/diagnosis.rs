//! Diagnoses a failed build of a component: names the crate to blame, and an alternative to it.
//!
//! cargo prints the compiler's errors. This module adds whether the package's own code or a dependency causes them,
//! and what a closure can use instead.

use cargo_metadata::Package;
use cargo_metadata::diagnostic::Diagnostic;

use crate::cargo::{BuildFailure, Cargo};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::target::TARGET;

/// The URL of the page about the limits of closures.
pub(crate) const CLOSURES_PAGE: &str =
    concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/HEAD/docs/closures.md");

/// The start of cargo's message about a failed build script; the package's name, ` v` and its version follow.
const BUILD_SCRIPT_FAILED: &str = "failed to run custom build command for `";

/// The message of rustc about an item that exists only on other targets.
const ITEM_GATED: &str = "the item is gated here";

/// Crates that don't compile for components, and the alternative to each.
const ALTERNATIVES: &[(&[&str], &str)] = &[
    (&["zstd-sys"], "ruzstd reads and writes zstd in pure Rust"),
    (&["lz4-sys"], "lz4_flex reads and writes lz4 in pure Rust"),
    (
        &["libz-sys", "libz-ng-sys"],
        "flate2 with its default features is pure Rust; instead of git2, run git with hype::process::Command, \
         if the environment grants it",
    ),
    (&["bzip2-sys"], "bzip2 0.6 or later with its default features is pure Rust"),
    (&["lzma-sys"], "lzma-rust2 is pure Rust"),
    (
        &["libsqlite3-sys", "librocksdb-sys"],
        "redb stores tables in a file in pure Rust, or run sqlite3 with hype::process::Command, if the \
         environment grants it",
    ),
    (
        &["ffmpeg-sys-next"],
        "symphonia decodes audio in pure Rust, or run ffmpeg with hype::process::Command, if the environment \
         grants it",
    ),
    (
        &["libgit2-sys"],
        "run git with hype::process::Command, if the environment grants it, or in the program",
    ),
    (
        &["pyo3-ffi", "pyo3-build-config"],
        "run python3 with hype::process::Command, if the environment grants it, or use rhai for scripts",
    ),
    (&["mlua-sys"], "rhai runs scripts in pure Rust"),
    (&["proj-sys"], "proj4rs is pure Rust"),
    (
        &["link-cplusplus"],
        "a component has no C++ code: instead of proj use proj4rs, which is pure Rust",
    ),
    (
        &["ring", "aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "boring-sys"],
        "for https use hype::http, if the environment grants it; for hashes and signatures use sha2, hmac or \
         ed25519-dalek, which are pure Rust; open other connections in the program",
    ),
    (
        &["socket2", "mio", "quinn-udp", "curl-sys", "libpq-sys", "pq-sys", "rdkafka-sys"],
        "a closure has no sockets: send requests with hype::http, if the environment grants it, or connect in \
         the program and pass the received data to the closure",
    ),
    (
        &["polling"],
        "a closure has no sockets to poll: for a runtime use futures::executor::block_on, or tokio's features rt \
         and time; for requests use hype::http, if the environment grants it",
    ),
    (
        &["tokio"],
        "tokio compiles with the features sync, macros, io-util, rt and time; for requests use hype::http \
         instead of net",
    ),
];

/// Advice about errors in the package's own code, by words in rustc's message.
const OWN_CODE_ADVICE: &[(&[&str], &str)] = &[
    (
        &["OsString", "OsStr"],
        "the form of OsString differs between systems, so it cannot be sent: use String, PathBuf or Vec<u8> \
         instead, in the fields of your types too",
    ),
    (
        &[ITEM_GATED],
        "exclude the missing item from the component with #[cfg(not(target_family = \"wasm\"))], or move it \
         to src/main.rs",
    ),
];

/// The code that makes a build fail.
enum Culprit<'a> {
    /// The package's own code, with advice.
    Own(Option<&'static str>),
    /// The code of a dependency, and its first error.
    Code(Dependency<'a>, String),
    /// The build script of a dependency, and its error message.
    Script(Dependency<'a>, String),
    /// Code that cargo doesn't name.
    Unknown,
}

/// A dependency of the package.
struct Dependency<'a> {
    name: &'a str,
    version: String,
    /// The direct dependency through which it came, if it is an indirect one.
    by: Option<&'a str>,
}

/// Returns the error for a library of `package` that `cargo` failed to build because of `failure`.
pub(crate) fn diagnose(
    project: &Project,
    package: &Package,
    failure: BuildFailure,
    cargo: &Cargo<'_>,
) -> Result<Error> {
    let project = &project.for_components()?;
    let culprit = match failure {
        BuildFailure::Code(id, error) if id == package.id => Culprit::Own(own_advice(&error)),
        BuildFailure::Code(id, error) => match project.dependency(package, &id) {
            Some((found, direct)) => Culprit::Code(Dependency::new(found, direct), error.message),
            None => Culprit::Unknown,
        },
        BuildFailure::Unknown => {
            let output = cargo.error_output()?;
            let found = build_script_package(&output).and_then(|(name, version)| {
                let is_named = |package: &&Package| {
                    package.name == name && package.version.to_string() == version
                };
                project.packages().iter().find(is_named)
            });
            match found.and_then(|found| project.dependency(package, &found.id)) {
                Some((found, direct)) => {
                    Culprit::Script(Dependency::new(found, direct), build_script_error(&output))
                }
                None => Culprit::Unknown,
            }
        }
    };
    Ok(culprit.report(&package.name))
}

impl<'a> Dependency<'a> {
    fn new(package: &'a Package, direct: &'a Package) -> Self {
        let by = (direct.id != package.id).then_some(direct.name.as_str());
        Self { name: &package.name, version: package.version.to_string(), by }
    }

    /// Returns a clause such as "`ring` 0.17.14, which `house` needs for `reqwest`,".
    fn description(&self, package: &str) -> String {
        let by = self.by.map(|by| format!(" for `{by}`")).unwrap_or_default();
        format!("`{}` {}, which `{package}` needs{by},", self.name, self.version)
    }

    /// Returns the alternative to the crate.
    fn hint(&self) -> String {
        let alternative = ALTERNATIVES.iter().find(|(names, _)| names.contains(&self.name));
        match alternative {
            Some((_, alternative)) => {
                format!("{alternative}; more of what a closure can't do: {CLOSURES_PAGE}")
            }
            None => format!(
                "use another crate in the library, or use this one only in the program, under \
                 [target.'cfg(not(target_family = \"wasm\"))'.dependencies]; what a closure \
                 can't do: {CLOSURES_PAGE}"
            ),
        }
    }
}

impl Culprit<'_> {
    fn report(self, package: &str) -> Error {
        match self {
            Self::Code(dependency, message) => {
                let dependency_text = dependency.description(package);
                Error::input(format!("{dependency_text} doesn't compile for {TARGET}"))
                    .because(message)
                    .hint(dependency.hint())
            }
            Self::Script(dependency, reason) => {
                let dependency_text = dependency.description(package);
                Error::input(format!("the build script of {dependency_text} fails for {TARGET}"))
                    .because(reason)
                    .hint(dependency.hint())
            }
            Self::Own(Some(advice)) => library_error(package)
                .hint(format!("{advice}; what to use instead: {CLOSURES_PAGE}")),
            Self::Own(None) | Self::Unknown => {
                library_error(package).hint("see the compiler's errors above")
            }
        }
    }
}

fn library_error(package: &str) -> Error {
    Error::input(format!("the library of `{package}` doesn't compile for {TARGET}"))
}

fn own_advice(error: &Diagnostic) -> Option<&'static str> {
    let rendered = error.rendered.as_deref().unwrap_or(&error.message);
    let is_known =
        |(words, _): &&(&[&str], &'static str)| words.iter().any(|word| rendered.contains(word));
    OWN_CODE_ADVICE.iter().find(is_known).map(|(_, advice)| *advice)
}

/// Returns the name and the version of the package whose build script failed, from cargo's error output.
fn build_script_package(output: &str) -> Option<(&str, &str)> {
    let (_, named) = output.split_once(BUILD_SCRIPT_FAILED)?;
    let (name, rest) = named.split_once(" v")?;
    rest.split([' ', '`']).next().map(|version| (name, version))
}

/// Returns the error message of a build script, from cargo's error output: the first line that looks like an error,
/// else the first line.
fn build_script_error(output: &str) -> String {
    let (_, stderr) = output.rsplit_once("--- stderr").unwrap_or_default();
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(index) = lines.iter().position(|line| line.contains(" panicked at ")) {
        return lines.get(index + 1).copied().unwrap_or(lines[index]).to_owned();
    }
    let words = ["error", "failed", "cannot", "could not", "not found"];
    let is_error = |line: &&&str| words.iter().any(|word| line.to_lowercase().contains(word));
    let found = lines.iter().find(is_error).or(lines.first());
    found.copied().unwrap_or("it printed no error").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stderr: &str) -> String {
        format!(
            "error: failed to run custom build command for `zstd-sys v2.1.2+zstd.1.5.7`\n\n\
             Caused by:\n  process didn't exit successfully: `/t/build-script-build` \
             (exit status: 1)\n  --- stdout\n  TARGET = Some(wasm32-wasip1)\n\n\
             \x20 --- stderr\n\n{stderr}\n\nwarning: build failed, waiting for other jobs\n"
        )
    }

    #[test]
    fn closures_page_exists() {
        let (_, path) = CLOSURES_PAGE.split_once("/blob/HEAD/").unwrap();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(root.join(path).is_file(), "{CLOSURES_PAGE}");
    }

    #[test]
    fn hint_names_pure_rust_alternative_to_c_compressors() {
        for name in ["zstd-sys", "lz4-sys", "libz-sys", "bzip2-sys", "lzma-sys"] {
            let dependency = Dependency { name, version: "1.0.0".into(), by: None };
            assert!(dependency.hint().contains("pure Rust; "), "{}", dependency.hint());
        }
    }

    #[test]
    fn failed_build_script_names_its_package() {
        assert_eq!(build_script_package(&output("")), Some(("zstd-sys", "2.1.2+zstd.1.5.7")));
        let local = "error: failed to run custom build command for `a v1.0.0 (/home/a b/a)`\n";
        assert_eq!(build_script_package(local), Some(("a", "1.0.0")));
        assert_eq!(build_script_package("error: could not compile `a`"), None);
    }

    #[test]
    fn error_message_is_found_in_build_script_output() {
        let stderr = "  \n\n  error occurred in cc-rs: failed to find tool \"clang\"\n\n";
        assert_eq!(
            build_script_error(&output(stderr)),
            "error occurred in cc-rs: failed to find tool \"clang\""
        );
        let stderr = "  Could not find OpenSSL, and\n  a long story\n  openssl-sys = 0.9.118";
        assert_eq!(build_script_error(&output(stderr)), "Could not find OpenSSL, and");
        let stderr =
            "  hm\n  thread 'main' (7) panicked at build.rs:3:5:\n  no header\n  note: run";
        assert_eq!(build_script_error(&output(stderr)), "no header");
    }
}
