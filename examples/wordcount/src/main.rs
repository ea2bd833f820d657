//! Counts the words of a file elsewhere: `cargo hype run -p wordcount -- FILE`.

use anyhow::Context;
use wordcount::count;

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("which file? give its path")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;

    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();
    let words = submitter.submit(count(text, 10), &env).await?;

    print(&format!("{path}: {} words, {} different", words.total, words.different));
    for word in words.most {
        print(&format!("{:>6} {}", word.count, word.text));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
