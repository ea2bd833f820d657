//! A program that names no submitter: variables, `hype.toml` or `cargo hype run` choose one.

use test_guests::values::greet;

#[hype::main]
async fn main() -> hype::Result<()> {
    let greeting = greet("you".into()).await?;
    print(&greeting);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
