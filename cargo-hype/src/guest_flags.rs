//! The compiler flags for a guest.
//!
//! Flags for the host machine don't fit WebAssembly: its linker rejects them, and an unknown `target-cpu` causes a
//! warning for each function. A guest therefore gets only those configured flags that name its target.

use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;

use cargo_platform::{Cfg, Platform};
use toml::Table;

use crate::configuration::{string_list, targets};
use crate::error::{Error, Result};
use crate::target::TARGET;
use crate::tool;

/// The environment variables from which cargo reads compiler flags, in descending order of precedence.
const FLAGS: [&str; 3] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"];

/// LLVM's options for loops, each of which can be stated once: the number of vectors that an iteration handles, and the size
/// up to which several iterations become one. Cranelift doesn't unroll loops, and LLVM hardly does so for a processor that it
/// doesn't know.
const LOOPS: [(&str, &str); 2] =
    [("force-vector-interleave", "4"), ("unroll-partial-threshold", "400")];

/// cargo's environment variables for the guest's target.
const OWN_FLAGS: &str = "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS";
const OWN_LINKER: &str = "CARGO_TARGET_WASM32_WASIP1_LINKER";

/// Returns the environment variables for the cargo command that builds a guest in `directory`, where cargo's
/// configuration is `tables`. Those without a value are to be removed.
///
/// # Errors
///
/// If rustc can't be asked about a `cfg(..)` of the configuration.
pub(crate) fn variables(
    tables: &[Table],
    directory: &Path,
    is_optimized: bool,
) -> Result<Vec<(&'static str, Option<OsString>)>> {
    let targets = targets(tables);
    let configured = Configured::of(&targets, |platform| scope_of(platform, directory))?;
    let mut flags = configured.own_flags;
    let variable = std::env::var(OWN_FLAGS).unwrap_or_default();
    flags.extend(variable.split_whitespace().map(str::to_owned));
    flags.extend(configured.cfg_flags);
    if is_optimized {
        flags = optimized(flags);
    }

    let [encoded, others @ ..] = FLAGS;
    let mut variables = vec![(encoded, Some(flags.join("\x1f").into()))];
    variables.extend(others.map(|name| (name, None)));
    if configured.has_foreign_linker && std::env::var_os(OWN_LINKER).is_none() {
        variables.push((OWN_LINKER, Some("rust-lld".into())));
    }
    Ok(variables)
}

/// Returns the flags of an optimized guest: `own` after those for vectors and loops.
fn optimized(own: Vec<String>) -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    for (option, value) in LOOPS {
        if !own.iter().any(|flag| flag.contains(option)) {
            flags.push(format!("-Cllvm-args=-{option}={value}"));
        }
    }
    flags.extend(own);
    flags
}

/// The settings for the guest's target in cargo's configuration files.
#[derive(Debug, Default, PartialEq)]
struct Configured {
    /// Flags of `[target.wasm32-wasip1]`.
    own_flags: Vec<String>,
    /// Flags of `[target.'cfg(..)']` tables that match guests, but not this machine.
    cfg_flags: Vec<String>,
    /// Whether a `cfg(..)` that matches both guests and this machine sets a linker, and nothing sets one for guests.
    has_foreign_linker: bool,
}

/// The targets that a `cfg(..)` of cargo's configuration matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Guests,
    GuestsAndMachine,
    OtherTargets,
}

impl Configured {
    /// Collects the settings of `targets`; `scope` evaluates a `cfg(..)`.
    fn of(targets: &[(&str, &Table)], scope: impl Fn(&Platform) -> Result<Scope>) -> Result<Self> {
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
            // cargo itself reports a `cfg(..)` that it cannot parse.
            let Ok(platform) = Platform::from_str(name) else {
                continue;
            };
            match scope(&platform)? {
                Scope::Guests => {
                    add(&mut configured.cfg_flags, flags);
                    has_linker |= linker;
                }
                Scope::GuestsAndMachine => configured.has_foreign_linker |= linker,
                Scope::OtherTargets => {}
            }
        }
        configured.has_foreign_linker &= !has_linker;
        Ok(configured)
    }
}

/// Merges `more` into `flags` as cargo does: an array is appended to that of files with lower precedence, a string
/// replaces it.
fn add(flags: &mut Vec<String>, more: Option<&toml::Value>) {
    if more.is_some_and(toml::Value::is_str) {
        flags.clear();
    }
    flags.extend(more.map(string_list).unwrap_or_default());
}

/// Returns the targets that `platform` matches. `cfg(target_family = "wasm")` matches guests alone, `cfg(all())`
/// matches this machine too.
fn scope_of(platform: &Platform, directory: &Path) -> Result<Scope> {
    if !platform.matches(TARGET, &rustc_cfgs(directory, &["--target", TARGET])?) {
        return Ok(Scope::OtherTargets);
    }
    let for_machine = platform.matches("", &rustc_cfgs(directory, &[])?);
    Ok(if for_machine { Scope::GuestsAndMachine } else { Scope::Guests })
}

/// Returns the cfgs that rustc sets with these options.
fn rustc_cfgs(directory: &Path, options: &[&str]) -> Result<Vec<Cfg>> {
    let output = tool::rustc()
        .args(["--print", "cfg"])
        .args(options)
        .current_dir(directory)
        .output()
        .map_err(|error| Error::machinery("cannot run rustc").because(error))?;
    let cfgs = String::from_utf8_lossy(&output.stdout);
    Ok(cfgs.lines().filter_map(|line| Cfg::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses configuration files in ascending order of precedence.
    fn configured(files: &[&str]) -> Configured {
        let tables: Vec<Table> = files.iter().map(|file| file.parse().unwrap()).collect();
        let guest = [r#"target_family="wasm""#, r#"target_os="wasi""#];
        let guest = guest.map(|cfg| Cfg::from_str(cfg).unwrap());
        let machine = ["unix"].map(|cfg| Cfg::from_str(cfg).unwrap());
        let scope = |platform: &Platform| {
            let (for_guests, for_machine) =
                (platform.matches(TARGET, &guest), platform.matches("", &machine));
            Ok(match (for_guests, for_machine) {
                (true, false) => Scope::Guests,
                (true, true) => Scope::GuestsAndMachine,
                _ => Scope::OtherTargets,
            })
        };
        Configured::of(&targets(&tables), scope).unwrap()
    }

    #[test]
    fn guests_get_only_flags_that_name_their_target() {
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
            cfg_flags: ["--cfg", "wasm_only"].map(str::to_owned).into(),
            has_foreign_linker: false,
        };
        assert_eq!(all, expected);
        let strings = [
            "[target.wasm32-wasip1]\nrustflags = '-Copt-level=s'",
            "[target.wasm32-wasip1]\nrustflags = '--cfg nearer'",
        ];
        assert_eq!(configured(&strings).own_flags, ["--cfg", "nearer"]);
    }

    #[test]
    fn own_flags_take_precedence_over_those_of_optimized_guests() {
        let with = |flag: &str| optimized(vec![flag.to_owned()]).join(" ");
        assert_eq!(
            with("-Ctarget-feature=-simd128"),
            "-Ctarget-feature=+simd128 -Cllvm-args=-force-vector-interleave=4 \
             -Cllvm-args=-unroll-partial-threshold=400 -Ctarget-feature=-simd128"
        );
        let own = "-Cllvm-args=--force-vector-interleave=1";
        assert_eq!(
            with(own),
            format!("-Ctarget-feature=+simd128 -Cllvm-args=-unroll-partial-threshold=400 {own}")
        );
    }

    #[test]
    fn linker_for_all_targets_is_replaced_for_guests() {
        let all = "[target.'cfg(all())']\nlinker = 'clang'";
        assert!(configured(&[all]).has_foreign_linker);
        let own = "[target.wasm32-wasip1]\nlinker = 'wasm-ld'";
        assert!(!configured(&[all, own]).has_foreign_linker);
        assert!(!configured(&["[target.'cfg(unix)']\nlinker = 'clang'"]).has_foreign_linker);
    }
}
