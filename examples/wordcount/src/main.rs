//! Counts the words of a file in a closure: `cargo hype run -p wordcount -- FILE`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;
use wordcount::count;

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("pass the path of a file")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;

    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();
    let words = submitter.submit(count(text, 10), &env).await?;

    println!("{path}: {} words, {} different", words.total, words.different);
    for word in words.most {
        println!("{:>6} {}", word.count, word.text);
    }
    Ok(())
}
