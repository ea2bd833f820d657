//! Serves a bucket called `bucket` for tests of several programs: prints its URL, and ends when its
//! standard input does.

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

#[expect(clippy::print_stdout, reason = "who started it reads there where it is")]
fn serve() -> std::io::Result<()> {
    let server = StorageServer::start(&Settings::new().with_bucket("bucket"))?;
    println!("{}", server.url());
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
