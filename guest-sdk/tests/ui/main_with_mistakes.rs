//! `main` is a plain or an `async` function without parameters.

#[hype::main(flavor = "current_thread")]
async fn options() {}

#[hype::main]
async unsafe fn everything<T>(arguments: Vec<String>, more: T) -> hype::Result<()>
where
    T: Clone,
{
    Ok(())
}

fn main() {}
