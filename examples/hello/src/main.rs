//! Runs `example` elsewhere, twice: with an explicit submitter, and with the default one.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use hello::example;

#[hype::main]
async fn main() -> hype::Result<()> {
    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();
    let greeting = submitter.submit(example("hello".into()), &env).await?;
    println!("{greeting}");

    hype::set_default(submitter, env.with_env("LANG", "en"));
    let greeting = example("goodbye".into()).await?;
    println!("{greeting}");
    Ok(())
}
