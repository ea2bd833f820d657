//! The checks of Rust's toolchain: a compiler that is new enough, and the target of components.

use std::process::Command;

use hype::doctor::{Check, CheckState};

use crate::target::{self, TARGET};
use crate::tool;

const TOOLCHAIN: &str = "toolchain";
const WASM_TARGET: &str = "wasm target";

/// The oldest compiler that compiles hype.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Checks the toolchain of the current directory.
pub(crate) fn check() -> Vec<Check> {
    let compiler = compiler(&mut tool::rustc());
    let target = if compiler.state == CheckState::Ok { wasm_target() } else { skipped() };
    vec![compiler, target]
}

fn compiler(rustc: &mut Command) -> Check {
    let version = match rustc.arg("--version").output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
            return failed(TOOLCHAIN, format!("rustc fails: {reason}"));
        }
        Err(error) => return failed(TOOLCHAIN, format!("cannot run rustc: {error}")),
    };
    match is_too_old(&version) {
        true => failed(TOOLCHAIN, format!("{version} is older than {OLDEST}")),
        false => Check::new(TOOLCHAIN, CheckState::Ok, version),
    }
}

/// Returns whether `rustc 1.90.0 (..)` is below the oldest version. Another text is accepted.
fn is_too_old(version: &str) -> bool {
    let numbers = |text: &str| {
        let mut numbers = text.split('.').map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    let found = version.split(' ').nth(1).and_then(numbers);
    found.is_some_and(|found| Some(found) < numbers(OLDEST))
}

fn wasm_target() -> Check {
    let directory = std::env::current_dir().unwrap_or_default();
    match target::is_installed(&directory) {
        Ok(true) => Check::new(WASM_TARGET, CheckState::Ok, format!("{TARGET} is installed")),
        Ok(false) => failed(WASM_TARGET, format!("Rust's standard library for {TARGET} is missing"))
            .with_remedy(format!(
                "rustup target add {TARGET}, which `cargo hype build` does by itself; or the package rust-std-{TARGET}"
            )),
        Err(error) => failed(WASM_TARGET, error.to_string()),
    }
}

fn skipped() -> Check {
    Check::new(
        WASM_TARGET,
        CheckState::Unknown,
        format!("not checked, since this failed: {TOOLCHAIN}"),
    )
}

fn failed(name: &str, detail: String) -> Check {
    Check::new(name, CheckState::Failed, detail)
        .with_remedy("rustup update stable, or install it: https://rustup.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_compiler_is_rejected() {
        for (version, expected) in [
            ("rustc 1.80.1 (3f5fd8dd4 2024-08-06)", true),
            ("rustc 1.95.0 (59807616e 2026-04-14)", false),
            ("rustc 1.100.0-nightly", false),
            ("rustc 2.0.0", false),
            ("mrustc", false),
        ] {
            assert_eq!(is_too_old(version), expected, "{version}");
        }
    }

    #[test]
    fn missing_compiler_fails_with_a_remedy() {
        let check = compiler(&mut tool::command("/no/such/rustc"));
        assert_eq!(check.state, CheckState::Failed);
        assert!(check.detail.starts_with("cannot run rustc"), "{check:?}");
        assert!(check.remedy.is_some_and(|remedy| remedy.contains("rustup")));
    }
}
