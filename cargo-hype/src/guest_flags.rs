//! What the compiler is told for a guest.
//!
//! Flags for the machine are no flags for WebAssembly: its linker doesn't know them, a processor that
//! LLVM doesn't know costs a warning a function, and any of them would take the place of ours. So of all
//! that is configured a guest gets what names its target, and nothing else.

use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;

use cargo_platform::{Cfg, Platform};

use crate::configuration::{self, targets, words};
use crate::error::{Error, Result};
use crate::target::TARGET;
use crate::tool;

/// The variables by which cargo hands flags on, each of which goes before those below it.
const FLAGS: [&str; 3] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// The guest's own, of cargo's configuration.
const OWN_FLAGS: &str = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";
const OWN_LINKER: &str = "CARGO_TARGET_WASM32_WASIP1_LINKER";

/// Variables for a cargo that builds a guest in `directory`: with a value, or to be taken away.
///
/// # Errors
///
/// When cargo's configuration can't be read.
pub(crate) fn variables(
    directory: &Path,
    is_optimized: bool,
) -> Result<Vec<(&'static str, Option<OsString>)>> {
    let tables = configuration::read(directory, configuration::home())?;
    let targets = targets(&tables);
    let configured = Configured::of(&targets, |platform| is_for_guests(platform, directory))?;
    let mut flags = Vec::new();
    if is_optimized {
        flags.push("-Ctarget-feature=+simd128".to_owned());
    }
    flags.extend(configured.own_flags);
    let variable = std::env::var(OWN_FLAGS).unwrap_or_default();
    flags.extend(variable.split_whitespace().map(str::to_owned));
    flags.extend(configured.flags_of_conditions);

    let [encoded, others @ ..] = FLAGS;
    let mut variables = vec![(encoded, Some(flags.join("\x1f").into()))];
    variables.extend(others.map(|name| (name, None)));
    if configured.has_foreign_linker && std::env::var_os(OWN_LINKER).is_none() {
        variables.push((OWN_LINKER, Some("rust-lld".into())));
    }
    Ok(variables)
}

/// What cargo's files say of the guest's target.
#[derive(Debug, Default, PartialEq)]
struct Configured {
    /// Under its name.
    own_flags: Vec<String>,
    /// Under conditions that hold for guests.
    flags_of_conditions: Vec<String>,
    /// Whether there is a linker under a condition that holds for this machine too, and none for guests.
    has_foreign_linker: bool,
}

/// For whom a condition of cargo's configuration holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Guests,
    GuestsAndMachine,
    Others,
}

impl Configured {
    /// Reads `targets`; `scope` says for whom a condition holds.
    fn of(
        targets: &[(&str, &toml::Table)],
        scope: impl Fn(&Platform) -> Result<Scope>,
    ) -> Result<Self> {
        let mut configured = Self::default();
        let mut has_linker = false;
        for (name, target) in targets {
            let (flags, linker) = (target.get("rustflags"), target.get("linker").is_some());
            if *name == TARGET {
                add(&mut configured.own_flags, flags);
                has_linker |= linker;
                continue;
            }
            if !name.starts_with("cfg(") || (flags.is_none() && !linker) {
                continue;
            }
            // One that cargo doesn't understand it refuses itself.
            let Ok(platform) = Platform::from_str(name) else {
                continue;
            };
            match scope(&platform)? {
                Scope::Guests => {
                    add(&mut configured.flags_of_conditions, flags);
                    has_linker |= linker;
                }
                Scope::GuestsAndMachine => configured.has_foreign_linker |= linker,
                Scope::Others => {}
            }
        }
        configured.has_foreign_linker &= !has_linker;
        Ok(configured)
    }
}

/// As cargo does: an array goes on where that of a lighter file ends, a text takes its place.
fn add(flags: &mut Vec<String>, more: Option<&toml::Value>) {
    if more.is_some_and(toml::Value::is_str) {
        flags.clear();
    }
    flags.extend(more.map(words).unwrap_or_default());
}

/// A condition means guests where it doesn't hold for this machine: `cfg(target_family = "wasm")` does so,
/// `cfg(all())` doesn't.
fn is_for_guests(platform: &Platform, directory: &Path) -> Result<Scope> {
    if !platform.matches(TARGET, &conditions(directory, &["--target", TARGET])?) {
        return Ok(Scope::Others);
    }
    let for_machine = platform.matches("", &conditions(directory, &[])?);
    Ok(if for_machine { Scope::GuestsAndMachine } else { Scope::Guests })
}

/// What holds in code that is compiled so.
fn conditions(directory: &Path, options: &[&str]) -> Result<Vec<Cfg>> {
    let output = tool::rustc()
        .args(["--print", "cfg"])
        .args(options)
        .current_dir(directory)
        .output()
        .map_err(|error| Error::machinery("cannot run rustc").because(error))?;
    let told = String::from_utf8_lossy(&output.stdout);
    Ok(told.lines().filter_map(|line| Cfg::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these files say, the weightiest last.
    fn configured(files: &[&str]) -> Configured {
        let tables: Vec<toml::Table> = files.iter().map(|file| file.parse().unwrap()).collect();
        let guest = [r#"target_family="wasm""#, r#"target_os="wasi""#];
        let guest = guest.map(|cfg| Cfg::from_str(cfg).unwrap());
        let machine = ["unix"].map(|cfg| Cfg::from_str(cfg).unwrap());
        let scope = |platform: &Platform| {
            let (for_guests, for_machine) =
                (platform.matches(TARGET, &guest), platform.matches("", &machine));
            Ok(match (for_guests, for_machine) {
                (true, false) => Scope::Guests,
                (true, true) => Scope::GuestsAndMachine,
                _ => Scope::Others,
            })
        };
        Configured::of(&targets(&tables), scope).unwrap()
    }

    #[test]
    fn flags_are_those_that_name_the_target_of_guests() {
        let all = configured(&[
            "[build]\nrustflags = ['-Ctarget-cpu=native']",
            "[target.x86_64-unknown-linux-gnu]\nrustflags = ['-Clink-arg=-fuse-ld=mold']\n\
             [target.'cfg(all())']\nrustflags = ['-Cforce-frame-pointers']\n\
             [target.'cfg(unix)']\nrustflags = '-Cdebuginfo=1'\nlinker = 'clang'\n\
             [target.'cfg(target_family = \"wasm\")']\nrustflags = '--cfg wasm_only'\n\
             [target.wasm32-wasip1]\nrustflags = ['-Copt-level=s']",
            "[target.wasm32-wasip1]\nrustflags = ['--cfg', 'nearer']",
        ]);
        let expected = Configured {
            own_flags: ["-Copt-level=s", "--cfg", "nearer"].map(str::to_owned).into(),
            flags_of_conditions: ["--cfg", "wasm_only"].map(str::to_owned).into(),
            has_foreign_linker: false,
        };
        assert_eq!(all, expected);
        let texts = [
            "[target.wasm32-wasip1]\nrustflags = '-Copt-level=s'",
            "[target.wasm32-wasip1]\nrustflags = '--cfg nearer'",
        ];
        assert_eq!(configured(&texts).own_flags, ["--cfg", "nearer"]);
    }

    #[test]
    fn a_linker_for_all_targets_is_none_for_guests() {
        let all = "[target.'cfg(all())']\nlinker = 'clang'";
        assert!(configured(&[all]).has_foreign_linker);
        let own = "[target.wasm32-wasip1]\nlinker = 'wasm-ld'";
        assert!(!configured(&[all, own]).has_foreign_linker);
        assert!(!configured(&["[target.'cfg(unix)']\nlinker = 'clang'"]).has_foreign_linker);
    }
}
