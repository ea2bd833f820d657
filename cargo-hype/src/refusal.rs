//! Which crate keeps a library from becoming a component, and what to do about it.
//!
//! cargo says what is wrong where it stands. What a person wants to know first is whether it is
//! their own code or a dependency's, and what a closure can use instead.

use cargo_metadata::Package;
use cargo_metadata::diagnostic::Diagnostic;

use crate::cargo::{Cargo, Refusal};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::target::TARGET;

/// The page that tells what a closure can't do.
pub(crate) const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/HEAD/docs/closures.md");

/// How cargo says that a build script failed: followed by the package's name, ` v` and its version.
const SCRIPT: &str = "failed to run custom build command for `";

/// What rustc says of something that only other targets have.
const GATED: &str = "the item is gated here";

/// Crates that are no part of a component, and what can be one.
const INSTEAD: &[(&[&str], &str)] = &[
    (&["zstd-sys"], "ruzstd reads and writes zstd in Rust alone"),
    (&["lz4-sys"], "lz4_flex reads and writes lz4 in Rust alone"),
    (
        &["libz-sys", "libz-ng-sys"],
        "flate2 with its default features does it in Rust alone; for git2 run git by hype::process::Command, \
         where the environment grants it",
    ),
    (&["bzip2-sys"], "bzip2 0.6 or later with its default features does it in Rust alone"),
    (&["lzma-sys"], "lzma-rust2 does it in Rust alone"),
    (
        &["libsqlite3-sys", "librocksdb-sys"],
        "redb stores tables in a file in Rust alone, or run sqlite3 by hype::process::Command, where the \
         environment grants it",
    ),
    (
        &["ffmpeg-sys-next"],
        "symphonia decodes sound in Rust alone, or run ffmpeg by hype::process::Command, where the environment \
         grants it",
    ),
    (
        &["libgit2-sys"],
        "run git by hype::process::Command, where the environment grants it, or in the program",
    ),
    (
        &["pyo3-ffi", "pyo3-build-config"],
        "run python3 by hype::process::Command, where the environment grants it, or use rhai for scripts",
    ),
    (&["mlua-sys"], "rhai runs scripts in Rust alone"),
    (&["proj-sys"], "proj4rs does it in Rust alone"),
    (&["link-cplusplus"], "a component has no C++ code: for proj use proj4rs, which is Rust alone"),
    (
        &["ring", "aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "boring-sys"],
        "for https use hype::http, where the environment grants it; for hashes and signatures use sha2, \
         hmac or ed25519-dalek, which are Rust alone; other connections are the program's to make",
    ),
    (
        &["socket2", "mio", "quinn-udp", "curl-sys", "libpq-sys", "pq-sys", "rdkafka-sys"],
        "a closure has no sockets: send requests by hype::http, where the environment grants it, or connect \
         in the program, and give the closure what came",
    ),
    (
        &["polling"],
        "a closure has no sockets to wait for: for a runtime use futures::executor::block_on, or tokio's features \
         rt and time; for requests use hype::http, where the environment grants it",
    ),
    (
        &["tokio"],
        "a closure has tokio's features sync, macros, io-util, rt and time; for requests use hype::http in \
         place of net",
    ),
];

/// What keeps a package's own code from compiling for closures and what a person can do about it, by what
/// rustc says.
const OWN: &[(&[&str], &str)] = &[
    (
        &["OsString", "OsStr"],
        "OsString has another form on each system, so that it cannot cross: use String, PathBuf or Vec<u8> \
         in its place, in the fields of your types too",
    ),
    (
        &[GATED],
        "keep what it lacks out of the component with #[cfg(not(target_family = \"wasm\"))], or in \
         src/main.rs",
    ),
];

/// Who is to blame for what cargo refused.
enum Culprit<'a> {
    /// The package's own code, and what to do about it.
    Own(Option<&'static str>),
    /// The code of a dependency, and its first error.
    Code(Needed<'a>, String),
    /// The build script of a dependency, and what it says of its failure.
    Script(Needed<'a>, String),
    /// Nobody whom cargo names.
    Unknown,
}

/// A dependency, and the one of the package's own through which it came.
struct Needed<'a> {
    name: &'a str,
    version: String,
    by: Option<&'a str>,
}

/// Why there is no component of `package`: `cargo` refused to build its library.
pub(crate) fn explain(
    project: &Project,
    package: &Package,
    refusal: Refusal,
    cargo: &Cargo<'_>,
) -> Result<Error> {
    let project = &project.of_components()?;
    let culprit = match refusal {
        Refusal::Code(id, error) if id == package.id => Culprit::Own(own_advice(&error)),
        Refusal::Code(id, error) => match project.dependency(package, &id) {
            Some(found) => Culprit::Code(Needed::of(found), error.message),
            None => Culprit::Unknown,
        },
        Refusal::Unknown => {
            let complaint = cargo.complaint()?;
            let script = script(&complaint);
            let found = script.and_then(|(name, version)| {
                let is_named = |package: &&Package| {
                    package.name == name && package.version.to_string() == version
                };
                project.packages().iter().find(is_named)
            });
            match found.and_then(|found| project.dependency(package, &found.id)) {
                Some(found) => Culprit::Script(Needed::of(found), reason(&complaint)),
                None => Culprit::Unknown,
            }
        }
    };
    Ok(culprit.report(&package.name))
}

impl<'a> Needed<'a> {
    fn of((package, own): (&'a Package, &'a Package)) -> Self {
        let by = (own.id != package.id).then_some(own.name.as_str());
        Self { name: &package.name, version: package.version.to_string(), by }
    }

    /// `ring 0.17.14, which house needs for reqwest,`.
    fn told(&self, package: &str) -> String {
        let by = self.by.map(|by| format!(" for `{by}`")).unwrap_or_default();
        format!("`{}` {}, which `{package}` needs{by},", self.name, self.version)
    }

    /// What to do without it.
    fn hint(&self) -> String {
        let instead = INSTEAD.iter().find(|(names, _)| names.contains(&self.name));
        match instead {
            Some((_, instead)) => format!("{instead}; more of what a closure can't do: {PAGE}"),
            None => format!(
                "use another crate in the library, or this one in the program alone, under \
                 [target.'cfg(not(target_family = \"wasm\"))'.dependencies]; what a closure \
                 can't do: {PAGE}"
            ),
        }
    }
}

impl Culprit<'_> {
    fn report(self, package: &str) -> Error {
        match self {
            Self::Code(needed, message) => {
                let told = needed.told(package);
                Error::input(format!("{told} doesn't compile for {TARGET}"))
                    .because(message)
                    .hint(needed.hint())
            }
            Self::Script(needed, reason) => {
                let told = needed.told(package);
                Error::input(format!("the build script of {told} fails for {TARGET}"))
                    .because(reason)
                    .hint(needed.hint())
            }
            Self::Own(Some(advice)) => {
                own(package).hint(format!("{advice}; what to use instead: {PAGE}"))
            }
            Self::Own(None) | Self::Unknown => own(package).hint("what cargo says above is why"),
        }
    }
}

fn own(package: &str) -> Error {
    Error::input(format!("the library of `{package}` doesn't compile for {TARGET}"))
}

fn own_advice(error: &Diagnostic) -> Option<&'static str> {
    let rendered = error.rendered.as_deref().unwrap_or(&error.message);
    let found = OWN.iter().find(|(said, _)| said.iter().any(|said| rendered.contains(said)));
    found.map(|(_, advice)| *advice)
}

/// The package whose build script failed, as `complaint` names it: name and version.
fn script(complaint: &str) -> Option<(&str, &str)> {
    let (_, named) = complaint.split_once(SCRIPT)?;
    let (name, rest) = named.split_once(" v")?;
    rest.split([' ', '`']).next().map(|version| (name, version))
}

/// What a build script says of its failure: the line that looks like it, else the first one.
fn reason(complaint: &str) -> String {
    let (_, said) = complaint.rsplit_once("--- stderr").unwrap_or_default();
    let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(place) = lines.iter().position(|line| line.contains(" panicked at ")) {
        return lines.get(place + 1).copied().unwrap_or(lines[place]).to_owned();
    }
    let words = ["error", "failed", "cannot", "could not", "not found"];
    let is_reason = |line: &&&str| words.iter().any(|word| line.to_lowercase().contains(word));
    lines.iter().find(is_reason).or(lines.first()).copied().unwrap_or("it says nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(stderr: &str) -> String {
        format!(
            "error: failed to run custom build command for `zstd-sys v2.1.2+zstd.1.5.7`\n\n\
             Caused by:\n  process didn't exit successfully: `/t/build-script-build` \
             (exit status: 1)\n  --- stdout\n  TARGET = Some(wasm32-wasip1)\n\n\
             \x20 --- stderr\n\n{stderr}\n\nwarning: build failed, waiting for other jobs\n"
        )
    }

    #[test]
    fn the_page_is_there() {
        let (_, path) = PAGE.split_once("/blob/HEAD/").unwrap();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(root.join(path).is_file(), "{PAGE}");
    }

    #[test]
    fn compressors_in_c_have_an_alternative() {
        for name in ["zstd-sys", "lz4-sys", "libz-sys", "bzip2-sys", "lzma-sys"] {
            let needed = Needed { name, version: "1.0.0".into(), by: None };
            assert!(needed.hint().contains(" in Rust alone; "), "{}", needed.hint());
        }
    }

    #[test]
    fn a_build_script_is_known_by_its_package() {
        assert_eq!(script(&complaint("")), Some(("zstd-sys", "2.1.2+zstd.1.5.7")));
        let local = "error: failed to run custom build command for `a v1.0.0 (/home/a b/a)`\n";
        assert_eq!(script(local), Some(("a", "1.0.0")));
        assert_eq!(script("error: could not compile `a`"), None);
    }

    #[test]
    fn a_reason_is_what_looks_like_one() {
        let said = "  \n\n  error occurred in cc-rs: failed to find tool \"clang\"\n\n";
        assert_eq!(
            reason(&complaint(said)),
            "error occurred in cc-rs: failed to find tool \"clang\""
        );
        let said = "  Could not find OpenSSL, and\n  a long story\n  openssl-sys = 0.9.118";
        assert_eq!(reason(&complaint(said)), "Could not find OpenSSL, and");
        let said = "  hm\n  thread 'main' (7) panicked at build.rs:3:5:\n  no header\n  note: run";
        assert_eq!(reason(&complaint(said)), "no header");
    }
}
