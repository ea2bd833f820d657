use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hype_wire::Blob;
use tempfile::TempDir;

use super::directory::Directory;

/// How many bytes the cache of these tests may have.
const BOUND: u64 = 16 << 20;

/// A cache in a directory that isn't there yet.
struct Small {
    inner: Directory,
    around: TempDir,
}

impl Small {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        Self { inner: Directory::new(around.path().join("some/cache"), BOUND), around }
    }

    fn path(&self) -> PathBuf {
        self.around.path().join("some/cache")
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.path().join(format!("{}.hype-blob", blob.digest))
    }

    fn keep(&self, bytes: &[u8]) -> Blob {
        let blob = Blob::of(bytes);
        self.inner.keep(&blob, &mut &*bytes);
        blob
    }

    fn has(&self, blob: &Blob) -> bool {
        self.inner.read(blob).is_some()
    }

    fn size(&self) -> u64 {
        let entries = fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }
}

/// A mebibyte that is unlike those of other numbers.
fn mebibyte(number: u8) -> Vec<u8> {
    vec![number; 1 << 20]
}

/// Makes what is at `path` as old as that.
fn age(path: &std::path::Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_was_kept_is_read_and_copied() {
    let cache = Small::new();
    for bytes in [&b""[..], b"bytes", &mebibyte(1)] {
        let (blob, to) = (Blob::of(bytes), cache.around.path().join("copy"));
        assert!(!cache.has(&blob) && !cache.inner.copy(&blob, &to) && !to.exists());
        cache.keep(bytes);
        assert_eq!(cache.inner.read(&blob).unwrap(), bytes);
        assert!(cache.inner.copy(&blob, &to));
        assert_eq!(fs::read(&to).unwrap(), bytes);
        fs::remove_file(to).unwrap();
        let mut filled = tempfile::tempfile().unwrap();
        assert!(cache.inner.fill(&blob, &filled));
        let mut found = Vec::new();
        filled.rewind().unwrap();
        filled.read_to_end(&mut found).unwrap();
        assert_eq!(found, bytes);
    }
}

/// What was fetched into a file is kept from its beginning, wherever that was left.
#[test]
fn a_file_is_kept_whole() {
    let cache = Small::new();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"bytes").unwrap();
    let blob = Blob::of(b"bytes");
    cache.inner.keep_file(&blob, &file);
    assert_eq!(cache.inner.read(&blob).unwrap(), b"bytes");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let cache = Small::new();
    let (blob, to) = (cache.keep(b"bytes"), cache.around.path().join("copy"));
    assert!(cache.inner.copy(&blob, &to));
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cache.path_of(&blob)), 0o600);
    assert_eq!(mode(to), 0o600);
    assert_eq!(mode(cache.path()), 0o700);
}

#[test]
fn what_was_altered_is_absent_until_it_is_kept_again() {
    let cache = Small::new();
    let right = mebibyte(1);
    let blob = cache.keep(&right);
    let (path, to) = (cache.path_of(&blob), cache.around.path().join("copy"));
    let mut forged = right.clone();
    forged[1 << 19] = 2;
    for bytes in [&forged[..], &right[1..], b"", &[&right[..], b"more"].concat()] {
        fs::write(&path, bytes).unwrap();
        assert!(!cache.has(&blob), "{} bytes were taken", bytes.len());
        assert!(!cache.inner.copy(&blob, &to) && !to.exists());
        assert!(!cache.inner.fill(&blob, &tempfile::tempfile().unwrap()));
        cache.keep(&right);
        assert!(cache.has(&blob));
    }
}

/// Nobody ever writes to the pipe, so that who opens it as if it were a file never comes back.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_absent_and_holds_nobody_up() {
    let cache = Small::new();
    let blob = cache.keep(b"bytes");
    let path = cache.path_of(&blob);
    let pipe = || {
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
    };
    let elsewhere = cache.around.path().join("elsewhere");
    fs::write(&elsewhere, b"bytes").unwrap();
    let link = || std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    for make in [&pipe as &dyn Fn(), &link] {
        fs::remove_file(&path).unwrap();
        make();
        assert!(!cache.has(&blob));
        cache.keep(b"bytes");
        assert!(cache.has(&blob) && path.symlink_metadata().unwrap().is_file());
    }
    // A link leads nobody to write elsewhere.
    assert_eq!(fs::read(elsewhere).unwrap(), b"bytes");
}

#[test]
fn a_full_cache_loses_what_was_not_used_for_longest() {
    let cache = Small::new();
    let blobs: Vec<Blob> = (0..15).map(|number| cache.keep(&mebibyte(number))).collect();
    for (blob, seconds) in blobs.iter().zip((1..=15).rev()) {
        age(&cache.path_of(blob), 60 * seconds);
    }
    // The oldest but for its use now, and so one that stays.
    assert!(cache.has(&blobs[0]));
    for number in 15..20 {
        cache.keep(&mebibyte(number));
        assert!(cache.size() <= BOUND);
    }
    let left: Vec<usize> = (0..15).filter(|index| cache.path_of(&blobs[*index]).exists()).collect();
    assert_eq!(left, [&[0][..], &(5..15).collect::<Vec<_>>()].concat());
}

#[test]
fn others_that_fill_the_cache_are_seen() {
    let cache = Small::new();
    let others = Directory::new(cache.path(), BOUND);
    for number in 0..60_u8 {
        let bytes = mebibyte(number);
        if number % 2 == 0 {
            cache.keep(&bytes);
        } else {
            others.keep(&Blob::of(&bytes), &mut &*bytes);
        }
        // Each may have made room for a sixteenth part that the other takes for free.
        assert!(cache.size() <= BOUND + BOUND / 16);
    }
}

#[test]
fn what_died_while_it_wrote_goes_too_and_what_is_not_the_caches_stays() {
    let cache = Small::new();
    let first = cache.keep(&mebibyte(1));
    let sparse = |name: &str| {
        let path = cache.path().join(name);
        File::create(&path).unwrap().set_len(2 * BOUND).unwrap();
        age(&path, 60);
        path
    };
    let (part, foreign) = (sparse("a1b2c3.hype-part"), sparse("thesis.tex"));
    let second = cache.keep(&mebibyte(2));
    assert!(!part.exists() && foreign.exists());
    assert!(cache.has(&first) && cache.has(&second));
}

#[test]
fn what_is_larger_than_the_cache_leaves_it_as_it_is() {
    let cache = Small::new();
    let blob = cache.keep(b"bytes");
    let large = cache.keep(&vec![1; 17 << 20]);
    assert!(cache.has(&blob) && !cache.has(&large));
}

#[test]
fn one_that_is_removed_while_it_is_read_is_read_on() {
    let cache = Small::new();
    let blob = cache.keep(&mebibyte(1));
    let file = File::open(cache.path_of(&blob)).unwrap();
    for number in 2..20 {
        cache.keep(&mebibyte(number));
    }
    assert!(!cache.path_of(&blob).exists());
    let read = std::io::read_to_string(file).unwrap();
    assert_eq!(Blob::of(read.as_bytes()), blob);
}

#[test]
fn a_directory_that_cannot_be_one_is_no_cache() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let cache = Directory::new(file.path().to_owned(), BOUND);
    let blob = Blob::of(b"bytes");
    for _ in 0..2 {
        cache.keep(&blob, &mut &b"bytes"[..]);
        assert!(cache.read(&blob).is_none());
    }
    assert!(fs::read(file.path()).unwrap().is_empty());
}
