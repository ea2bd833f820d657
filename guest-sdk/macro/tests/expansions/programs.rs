/// Submits.
#[hype::main]
async fn main() -> hype::Result<()> {
    example("hello".into(), 3).await?;
    Ok(())
}

#[hype::main]
#[expect(unused_variables, reason = "for later")]
fn blocking() {
    let greeting = hype::blocking::submit(example("hello".into(), 3));
}
