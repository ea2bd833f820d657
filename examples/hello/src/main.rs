//! Runs `example` elsewhere, twice: by a submitter that is named, and by the one in scope.

use hello::example;

#[hype::main]
async fn main() -> hype::Result<()> {
    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();
    let greeting = submitter.submit(example("hello".into()), &env).await?;
    print(&greeting);

    hype::set_default(submitter, env.with_env("LANG", "en"));
    let greeting = example("goodbye".into()).await?;
    print(&greeting);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
