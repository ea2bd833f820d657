//! The command `cargo hype`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match hype::__internal::compile_in_children() {
        Some(status) => status,
        None => cargo_hype::cli::main(std::env::args_os()),
    }
}
