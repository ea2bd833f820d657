//! Restores the environment of the user's shell: removes the variables that an outer cargo added.
//!
//! `cargo run` (and so the alias `cargo hype`), `cargo test`, cargo-nextest, rustdoc and cargo around a build script
//! set variables such as `CARGO_PKG_NAME` for the programs that they start. An inner cargo must not see them: some
//! build scripts, for example ring's, run again when such a variable changes, so each build would invalidate the
//! previous one.

use std::collections::BTreeMap;
use std::env::{join_paths, split_paths};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

type Variables = BTreeMap<OsString, OsString>;

/// Variables that cargo always sets together for a program of a package. If one is missing, the user has set the
/// others, and they are kept.
const PROGRAM: &[&str] = &["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"];

/// Variables that cargo and rustdoc may set for a program of a package.
const OF_PROGRAM: &[&str] = &[
    "CARGO_BIN_EXE_*",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_*",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "RUSTDOC_DOCTEST_*",
];

/// Variables that cargo always sets together for a build script.
const SCRIPT: &[&str] = &["CARGO_CFG_TARGET_ARCH", "HOST", "NUM_JOBS", "OUT_DIR", "TARGET"];

/// Variables that cargo sets for build scripts.
///
/// An inner cargo keeps the rest: `CARGO_MAKEFLAGS` (the shared job server), `RUSTC` and the like (the user's
/// compiler), and a non-empty `CARGO_ENCODED_RUSTFLAGS` (the user's flags, which cargo moves there from `RUSTFLAGS`).
const OF_SCRIPT: &[&str] = &[
    "CARGO_CFG_*",
    "CARGO_FEATURE_*",
    "DEBUG",
    "DEP_*",
    "HOST",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "TARGET",
];

/// Variables that cargo-nextest sets.
const OF_NEXTEST: &[&str] = &["NEXTEST", "NEXTEST_*"];

/// The variable with the search path of shared libraries, to which cargo prepends its directories.
const LIBRARIES: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else if cfg!(target_os = "aix") {
    "LIBPATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Returns the variables of the user's shell, given the `variables` of this process.
///
/// Keeps cargo's configuration (`CARGO_HOME`, `CARGO_TARGET_DIR`, `CARGO_BUILD_..` and so on) and the variables of
/// rustup, which select the toolchain.
pub(crate) fn user_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Variables {
    let mut variables: Variables = variables.into_iter().collect();
    let has_all =
        |names: &[&str]| names.iter().all(|name| variables.contains_key(OsStr::new(name)));
    let (is_program, is_script) = (has_all(PROGRAM), has_all(SCRIPT));
    let is_nextest = has_all(&["NEXTEST", "NEXTEST_RUN_ID"]);
    // Each cargo sets its own.
    variables.remove(OsStr::new("CARGO"));
    if is_nextest {
        remove(&mut variables, OF_NEXTEST);
    }
    if is_script {
        remove(&mut variables, OF_SCRIPT);
        variables.retain(|name, value| name != "CARGO_ENCODED_RUSTFLAGS" || !value.is_empty());
    }
    if is_program {
        remove(&mut variables, OF_PROGRAM);
        variables.retain(|name, value| name != "OUT_DIR" || !is_out_dir(Path::new(value)));
        restore_libraries(&mut variables);
    }
    variables
}

/// Removes the variables called `names`. A name that ends with `*` is a prefix.
fn remove(variables: &mut Variables, names: &[&str]) {
    variables.retain(|variable, _| {
        let variable = variable.to_string_lossy();
        !names.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => variable.starts_with(start),
            None => variable == *name,
        })
    });
}

/// Returns whether cargo created this directory as the output directory of a build script:
/// `TARGET/PROFILE/build/PACKAGE-HASH/out`.
fn is_out_dir(path: &Path) -> bool {
    path.ends_with("out") && path.iter().rev().skip(1).take(3).any(|part| part == "build")
}

/// Removes the directories that cargo puts before the user's, and the defaults that it appends on macOS.
fn restore_libraries(variables: &mut Variables) {
    let name = OsStr::new(LIBRARIES);
    let Some(value) = variables.get(name) else {
        return;
    };
    let all: Vec<PathBuf> = split_paths(value).collect();
    let mut users = all.as_slice();
    // Nested cargos each prepend their directories.
    while let Some(rest) = without_cargo_directories(users) {
        users = rest;
    }
    if users.len() == all.len() {
        return;
    }
    let is_default = cfg!(target_os = "macos")
        && matches!(users, [home, local, system] if home.ends_with("lib")
            && local == "/usr/local/lib" && system == "/usr/lib");
    match join_paths(users) {
        Ok(restored) if !users.is_empty() && !is_default => variables.insert(name.into(), restored),
        _ => variables.remove(name),
    };
}

/// Returns the directories after those that one cargo prepended; `None` if there are none of cargo's.
///
/// cargo prepends the library directories of build scripts, `TARGET/PROFILE/deps` and `TARGET/PROFILE` in any
/// order, and the library directory of the toolchain.
fn without_cargo_directories(all: &[PathBuf]) -> Option<&[PathBuf]> {
    let deps = all.iter().position(|path| path.ends_with("deps"))?;
    let profile = all[deps].parent()?;
    let is_profile = |path: &Path| path.file_name() == profile.file_name() && path != all[deps];
    let mut end = deps + 1;
    if all.get(end).is_some_and(|path| is_profile(path)) {
        end += 1;
    }
    let is_toolchain = |path: &Path| {
        let mut parts = path.iter().rev();
        parts.next() == Some(OsStr::new("lib"))
            && parts.nth(1) == Some(OsStr::new("rustlib"))
            && parts.next() == Some(OsStr::new("lib"))
    };
    if all.get(end).is_some_and(|path| is_toolchain(path)) {
        end += 1;
    }
    let is_built = |path: &PathBuf| path.starts_with(profile) || is_profile(path);
    all[..deps].iter().all(is_built).then_some(&all[end..])
}

#[cfg(test)]
mod tests;
