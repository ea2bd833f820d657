//! Writes a word in one closure and reads it in others.

use std::hash::{BuildHasher, RandomState};
use std::{fs, io};

/// Writes a random word to the file `path`.
#[hype::function]
pub fn write(path: String) -> io::Result<()> {
    fs::write(path, random_word())
}

/// Reads the word from the file `path`.
#[hype::function]
pub fn read(path: String) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Returns four random syllables. The sandbox provides the machine's random numbers.
fn random_word() -> String {
    let chance = RandomState::new().hash_one("word").to_le_bytes();
    let letters = [b"bdfgklmnprstvwz".as_slice(), b"aeiou"].into_iter().cycle();
    letters.zip(chance).map(|(some, at)| char::from(some[usize::from(at) % some.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_word_can_be_read() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("word").display().to_string();
        write::call(path.clone())?;
        assert_eq!(read::call(path)?.len(), 8);
        Ok(())
    }

    #[test]
    fn random_words_differ() {
        assert_ne!(random_word(), random_word());
    }
}
