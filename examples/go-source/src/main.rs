//! Formats a file of Go like gofmt, and lists what it declares: `cargo hype run -p go-source -- FILE.go`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;

hype::component!("wit/source.wit");

use source::{Problem, declarations, format};

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("the argument is a file of Go")?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;

    let formatted = match format(text.clone()).await {
        Ok(formatted) => formatted,
        Err(error) => {
            let failure = error.failure().context("the function did not run")?;
            let Problem { line, column, message } = failure.value()?;
            anyhow::bail!("{path}:{line}:{column}: {message}");
        }
    };
    println!("{path} is {}formatted", if formatted == text { "" } else { "not " });
    for declaration in declarations(text).await? {
        println!("{:>4} {}", declaration.line, declaration.name);
    }
    Ok(())
}
