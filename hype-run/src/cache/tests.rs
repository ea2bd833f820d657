use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use hype_wire::Blob;
use tempfile::TempDir;

use super::directory::Directory;

/// The maximum size of the cache of these tests, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// A cache in a directory that doesn't exist yet.
struct SmallCache {
    inner: Directory,
    parent: TempDir,
}

impl SmallCache {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        Self { inner: Directory::new(parent.path().join("some/cache"), MAX_SIZE), parent }
    }

    fn path(&self) -> PathBuf {
        self.parent.path().join("some/cache")
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.path().join(format!("{}.hype-blob", blob.digest))
    }

    fn store(&self, bytes: &[u8]) -> Blob {
        let blob = Blob::of(bytes);
        self.inner.store(&blob, &mut &*bytes);
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

/// Returns a mebibyte of bytes `number`.
fn mebibyte(number: u8) -> Vec<u8> {
    vec![number; 1 << 20]
}

/// Sets the modification time of the file at `path` to `seconds` ago.
fn set_age(path: &std::path::Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn stored_blob_is_read_and_copied() {
    let cache = SmallCache::new();
    for bytes in [&b""[..], b"bytes", &mebibyte(1)] {
        let (blob, to) = (Blob::of(bytes), cache.parent.path().join("copy"));
        assert!(!cache.has(&blob) && !cache.inner.copy(&blob, &to) && !to.exists());
        cache.store(bytes);
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

#[test]
fn file_is_stored_from_its_beginning() {
    let cache = SmallCache::new();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"bytes").unwrap();
    let blob = Blob::of(b"bytes");
    cache.inner.store_file(&blob, &file);
    assert_eq!(cache.inner.read(&blob).unwrap(), b"bytes");
}

#[cfg(unix)]
#[test]
fn other_users_cannot_read_the_cache() {
    use std::os::unix::fs::PermissionsExt;
    let cache = SmallCache::new();
    let (blob, to) = (cache.store(b"bytes"), cache.parent.path().join("copy"));
    assert!(cache.inner.copy(&blob, &to));
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cache.path_of(&blob)), 0o600);
    assert_eq!(mode(to), 0o600);
    assert_eq!(mode(cache.path()), 0o700);
}

#[test]
fn altered_blob_is_a_miss_until_it_is_stored_again() {
    let cache = SmallCache::new();
    let right = mebibyte(1);
    let blob = cache.store(&right);
    let (path, to) = (cache.path_of(&blob), cache.parent.path().join("copy"));
    let mut forged = right.clone();
    forged[1 << 19] = 2;
    for bytes in [&forged[..], &right[1..], b"", &[&right[..], b"more"].concat()] {
        fs::write(&path, bytes).unwrap();
        assert!(!cache.has(&blob), "{} bytes were taken", bytes.len());
        assert!(!cache.inner.copy(&blob, &to) && !to.exists());
        assert!(!cache.inner.fill(&blob, &tempfile::tempfile().unwrap()));
        cache.store(&right);
        assert!(cache.has(&blob));
    }
}

/// The pipe has no writer, so that opening it for reading would block forever.
#[cfg(unix)]
#[test]
fn non_regular_file_is_a_miss_and_does_not_block() {
    let cache = SmallCache::new();
    let blob = cache.store(b"bytes");
    let path = cache.path_of(&blob);
    let pipe = || {
        let created = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(created.success());
    };
    let outside = cache.parent.path().join("outside");
    fs::write(&outside, b"bytes").unwrap();
    let link = || std::os::unix::fs::symlink(&outside, &path).unwrap();
    for create in [&pipe as &dyn Fn(), &link] {
        fs::remove_file(&path).unwrap();
        create();
        assert!(!cache.has(&blob));
        cache.store(b"bytes");
        assert!(cache.has(&blob) && path.symlink_metadata().unwrap().is_file());
    }
    // A write doesn't follow the link.
    assert_eq!(fs::read(outside).unwrap(), b"bytes");
}

#[test]
fn full_cache_evicts_the_least_recently_used_blob() {
    let cache = SmallCache::new();
    let blobs: Vec<Blob> = (0..15).map(|number| cache.store(&mebibyte(number))).collect();
    for (blob, seconds) in blobs.iter().zip((1..=15).rev()) {
        set_age(&cache.path_of(blob), 60 * seconds);
    }
    // Reading the oldest blob makes it the most recently used one.
    assert!(cache.has(&blobs[0]));
    for number in 15..20 {
        cache.store(&mebibyte(number));
        assert!(cache.size() <= MAX_SIZE);
    }
    let left: Vec<usize> = (0..15).filter(|index| cache.path_of(&blobs[*index]).exists()).collect();
    assert_eq!(left, [&[0][..], &(5..15).collect::<Vec<_>>()].concat());
}

#[test]
fn writes_of_another_process_count() {
    let cache = SmallCache::new();
    let other = Directory::new(cache.path(), MAX_SIZE);
    for number in 0..60_u8 {
        let bytes = mebibyte(number);
        if number % 2 == 0 {
            cache.store(&bytes);
        } else {
            other.store(&Blob::of(&bytes), &mut &*bytes);
        }
        // Each process may have reserved a sixteenth that the other one counts as free.
        assert!(cache.size() <= MAX_SIZE + MAX_SIZE / 16);
    }
}

#[test]
fn partial_files_are_evicted_and_foreign_files_are_kept() {
    let cache = SmallCache::new();
    let first = cache.store(&mebibyte(1));
    let sparse = |name: &str| {
        let path = cache.path().join(name);
        File::create(&path).unwrap().set_len(2 * MAX_SIZE).unwrap();
        set_age(&path, 60);
        path
    };
    let (part, foreign) = (sparse("a1b2c3.hype-part"), sparse("thesis.tex"));
    let second = cache.store(&mebibyte(2));
    assert!(!part.exists() && foreign.exists());
    assert!(cache.has(&first) && cache.has(&second));
}

#[test]
fn blob_larger_than_the_cache_is_not_stored() {
    let cache = SmallCache::new();
    let blob = cache.store(b"bytes");
    let large = cache.store(&vec![1; 17 << 20]);
    assert!(cache.has(&blob) && !cache.has(&large));
}

#[test]
fn open_entry_survives_eviction() {
    let cache = SmallCache::new();
    let blob = cache.store(&mebibyte(1));
    let file = File::open(cache.path_of(&blob)).unwrap();
    for number in 2..20 {
        cache.store(&mebibyte(number));
    }
    assert!(!cache.path_of(&blob).exists());
    let read = std::io::read_to_string(file).unwrap();
    assert_eq!(Blob::of(read.as_bytes()), blob);
}

#[test]
fn unusable_directory_is_a_miss() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let cache = Directory::new(file.path().to_owned(), MAX_SIZE);
    let blob = Blob::of(b"bytes");
    for _ in 0..2 {
        cache.store(&blob, &mut &b"bytes"[..]);
        assert!(cache.read(&blob).is_none());
    }
    assert!(fs::read(file.path()).unwrap().is_empty());
}
