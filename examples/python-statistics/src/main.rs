//! Calls functions in Python, with types of the compiler: `cargo hype run -p python-statistics -- FILE`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;

hype::component!("wit/statistics.wit");

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("pass the path of a file")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let lengths = text.lines().map(|line| line.chars().count() as f64).collect();

    for word in words::top(text, 3).await? {
        println!("{:>6} {}", word.times_seen, word.word);
    }
    let summary = numbers::summarize(lengths).await?;
    let numbers::Summary { mean, median, .. } = summary;
    println!("a line has {mean} characters in the mean, {median} in the median");

    // The error of a function is a value, too.
    let error = numbers::summarize(vec![1.0, f64::NAN]).await.err().context("NaN has no mean")?;
    let problem: numbers::Problem = error.failure().context("the function failed")?.value()?;
    println!("{problem:?}");
    Ok(())
}
