//! The environment of the user's shell, told from what cargo adds to it.
//!
//! `cargo run` (and so the alias `cargo hype`), `cargo test`, cargo-nextest, rustdoc and cargo around a
//! build script tell the programs that they start which package these are of. An inner cargo must not see
//! that: build scripts ask to run again when such a variable changes, ring's for example, so that each
//! build would undo the one before.

use std::collections::BTreeMap;
use std::env::{join_paths, split_paths};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

type Variables = BTreeMap<OsString, OsString>;

/// Variables that cargo sets together for each program of a package. Where one is missing, somebody else has
/// set the others, who means them.
const PROGRAM: &[&str] = &["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"];

/// Variables that cargo and rustdoc may also set for such a program.
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

/// Variables that cargo sets together for each build script.
const SCRIPT: &[&str] = &["CARGO_CFG_TARGET_ARCH", "HOST", "NUM_JOBS", "OUT_DIR", "TARGET"];

/// What cargo sets besides for build scripts. Not here is what an inner cargo is to have as well:
/// `CARGO_MAKEFLAGS` (it shares the jobs), `RUSTC` and its like (they name the compiler that the user has), and
/// flags in `CARGO_ENCODED_RUSTFLAGS`, which are the user's: cargo takes `RUSTFLAGS` away for it.
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

/// Only cargo-nextest reads these.
const OF_NEXTEST: &[&str] = &["NEXTEST", "NEXTEST_*"];

/// Where the system looks for shared libraries: cargo puts its directories in front.
const LIBRARIES: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else if cfg!(target_os = "aix") {
    "LIBPATH"
} else {
    "LD_LIBRARY_PATH"
};

/// The variables of the user's shell, where `variables` are those of this process.
///
/// What configures cargo stays (`CARGO_HOME`, `CARGO_TARGET_DIR`, `CARGO_BUILD_..` and so on), and so does
/// what rustup sets: it chooses the toolchain, which is to be the same for all.
pub(crate) fn of_user(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
    let mut variables: Variables = variables.into_iter().collect();
    let has_all =
        |names: &[&str]| names.iter().all(|name| variables.contains_key(OsStr::new(name)));
    let (is_program, is_script) = (has_all(PROGRAM), has_all(SCRIPT));
    let is_nextest = has_all(&["NEXTEST", "NEXTEST_RUN_ID"]);
    // Each cargo sets it anew, for itself and for all that it starts, subcommands too.
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

/// Removes the variables that are named, all that begin as it says where a name ends with `*`.
fn remove(variables: &mut Variables, names: &[&str]) {
    variables.retain(|variable, _| {
        let variable = variable.to_string_lossy();
        !names.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => variable.starts_with(start),
            None => variable == *name,
        })
    });
}

/// Whether cargo made this directory for what a build script writes: `TARGET/PROFILE/build/PACKAGE-HASH/out`.
fn is_out_dir(path: &Path) -> bool {
    path.ends_with("out") && path.iter().rev().skip(1).take(3).any(|part| part == "build")
}

/// Takes away what cargo puts before the user's directories, and the defaults that it puts behind on macOS.
fn restore_libraries(variables: &mut Variables) {
    let name = OsStr::new(LIBRARIES);
    let Some(value) = variables.get(name) else {
        return;
    };
    let all: Vec<PathBuf> = split_paths(value).collect();
    let mut users = all.as_slice();
    // Once for each cargo that runs inside of another.
    while let Some(rest) = behind_cargos(users) {
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

/// What stands behind the directories that one cargo put in front: those of build scripts' libraries, then
/// `TARGET/PROFILE/deps` and `TARGET/PROFILE` in any order, and those of the toolchain for its target.
fn behind_cargos(all: &[PathBuf]) -> Option<&[PathBuf]> {
    let deps = all.iter().position(|path| path.ends_with("deps"))?;
    let profile = all[deps].parent()?;
    let is_same = |path: &Path| path.file_name() == profile.file_name() && path != all[deps];
    let mut end = deps + 1;
    if all.get(end).is_some_and(|path| is_same(path)) {
        end += 1;
    }
    let is_toolchains = |path: &Path| {
        let mut parts = path.iter().rev();
        parts.next() == Some(OsStr::new("lib"))
            && parts.nth(1) == Some(OsStr::new("rustlib"))
            && parts.next() == Some(OsStr::new("lib"))
    };
    if all.get(end).is_some_and(|path| is_toolchains(path)) {
        end += 1;
    }
    let is_built = |path: &PathBuf| path.starts_with(profile) || is_same(path);
    all[..deps].iter().all(is_built).then_some(&all[end..])
}

#[cfg(test)]
mod tests;
