//! A closure whose executions can be counted from outside.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Creates a file with a random name in `directory`, sleeps, and returns that name with `padding` spaces appended, or
/// fails with the name as its message.
#[hype::function]
pub fn leave_mark(
    directory: PathBuf,
    milliseconds: u64,
    padding: usize,
    fails: bool,
) -> io::Result<String> {
    let mark = format!("mark-{:016x}", RandomState::new().hash_one(milliseconds));
    std::fs::File::create_new(directory.join(&mark))?;
    std::thread::sleep(Duration::from_millis(milliseconds));
    if fails {
        return Err(io::Error::other(mark));
    }
    Ok(mark + &" ".repeat(padding))
}
