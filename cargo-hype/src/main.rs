//! The command `cargo hype`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_hype::cli::main(std::env::args_os())
}
