//! Prints the lines of files that contain a text; each file is an item of a map:
//! `cargo hype run -p grep -- TEXT FILE...`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its results")]

use anyhow::Context;
use futures::StreamExt;
use grep::find;

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().context("pass a text and the paths of files")?;
    let paths: Vec<_> = arguments.collect();

    // The map reads a file when it takes its item, so that only some files are in memory.
    let searches = paths.into_iter().filter_map(move |path| match std::fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(find(path, text, wanted.clone()))
        }
        Err(error) => {
            eprintln!("cannot read {path}: {error}");
            None
        }
    });
    let submitter = hype::Submitter::ambient()?;
    let mut found = submitter.map(searches, &hype::RunEnvironment::new());
    while let Some(lines) = found.next().await {
        for line in lines? {
            println!("{line}");
        }
    }
    Ok(())
}
