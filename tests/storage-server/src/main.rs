//! Serves a bucket called `bucket`, for tests of several programs. Prints the URL, and stops at the end of the
//! standard input.

use std::io::Read;
use std::process::ExitCode;

use test_storage_server::{Settings, StorageServer};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the calling script reads the URL")]
fn serve() -> std::io::Result<()> {
    let server = StorageServer::start(&Settings::new().with_bucket("bucket"))?;
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
