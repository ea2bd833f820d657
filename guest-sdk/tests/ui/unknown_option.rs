//! Unknown options and invalid combinations are rejected.

#[hype::function(timeout = 3)]
fn unknown() {}

#[hype::function(Fallible)]
fn misspelled() -> std::io::Result<()> {
    Ok(())
}

#[hype::function("value")]
fn quoted() {}

#[hype::function(fallible, value)]
fn both() -> std::io::Result<()> {
    Ok(())
}

#[hype::function(fallible)]
fn nothing_to_fail_with() {}

fn main() {}
