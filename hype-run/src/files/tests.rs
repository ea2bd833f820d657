//! Tests of the open files and of the quota of `/tmp`.

use std::io::Write;
use std::path::Path;

use super::*;

/// Returns a `/tmp` with a quota of ten blocks.
fn tmp() -> (tempfile::TempDir, Files) {
    (tempfile::tempdir().unwrap(), Files::new(10 * BLOCK))
}

fn is_full<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
}

/// Creates a counted file of `blocks` blocks.
fn create(files: &mut Files, path: &Path, blocks: u64) -> Arc<File> {
    files.add_entry().unwrap();
    let file = Arc::new(File::create_new(path).unwrap());
    register(files, &file);
    files.grow(&file, blocks * BLOCK).unwrap();
    file.set_len(blocks * BLOCK).unwrap();
    file
}

/// Registers an open file of `/tmp`.
fn register(files: &mut Files, file: &Arc<File>) {
    files.register_file(file, Some(identity(&file.metadata().unwrap())));
}

/// Removes a file, and counts that.
fn remove(files: &mut Files, path: &Path) {
    let metadata = path.symlink_metadata().unwrap();
    let entry = Entry {
        identity: identity(&metadata),
        is_file: metadata.is_file(),
        size: metadata.len(),
        links: links(&metadata),
    };
    std::fs::remove_file(path).unwrap();
    files.remove_entry(&entry);
}

#[test]
fn growth_counts_against_the_limit_but_overwriting_does_not() {
    let (directory, mut files) = tmp();
    let mut file = File::create_new(directory.path().join("a")).unwrap();
    files.add_entry().unwrap();
    files.grow(&file, 9 * BLOCK).unwrap();
    file.write_all(&[1; 9 * BLOCK as usize]).unwrap();
    files.grow(&file, 9 * BLOCK).unwrap();
    assert!(is_full(files.grow(&file, 9 * BLOCK + 1)));
    assert!(is_full(files.grow(&file, u64::MAX)));
    assert!(is_full(files.add_entry()));
}

#[test]
fn removed_file_frees_space_when_its_last_descriptor_is_closed() {
    let (directory, mut files) = tmp();
    let path = directory.path().join("a");
    let file = create(&mut files, &path, 7);
    let other = Arc::new(File::options().write(true).open(&path).unwrap());
    register(&mut files, &other);
    remove(&mut files, &path);
    // The removed file grows to the whole quota.
    files.grow(&file, 9 * BLOCK).unwrap();
    file.set_len(9 * BLOCK).unwrap();
    drop(file);
    assert!(is_full(files.add_entry()));
    drop(other);
    files.add_entry().unwrap();
    assert_eq!(files.quota.used(), BLOCK);
}

#[test]
fn closed_file_with_a_reused_inode_number_does_not_keep_space() {
    let (directory, mut files) = tmp();
    for _ in 0..20 {
        let path = directory.path().join("a");
        let file = create(&mut files, &path, 8);
        remove(&mut files, &path);
        drop(file);
        files.forget_closed_files();
    }
    assert_eq!(files.quota.used(), 0);
    let path = directory.path().join("b");
    let file = create(&mut files, &path, 3);
    remove(&mut files, &path);
    drop(file);
    // This file often gets the same number.
    let _file = create(&mut files, &path, 2);
    assert_eq!(files.quota.used(), 3 * BLOCK);
}

#[test]
fn hard_linked_file_counts_until_its_last_name_is_removed() {
    let (directory, mut files) = tmp();
    let (path, link) = (directory.path().join("a"), directory.path().join("b"));
    drop(create(&mut files, &path, 8));
    files.add_entry().unwrap();
    std::fs::hard_link(&path, &link).unwrap();
    assert_eq!(files.quota.used(), 10 * BLOCK);
    remove(&mut files, &path);
    assert_eq!(files.quota.used(), 9 * BLOCK);
    remove(&mut files, &link);
    assert_eq!(files.quota.used(), 0);
}

#[test]
fn failed_growth_is_not_counted() {
    let (directory, mut files) = tmp();
    let file = create(&mut files, &directory.path().join("a"), 1);
    let counted = files.grow(&file, 9 * BLOCK).unwrap();
    assert_eq!(files.quota.used(), 10 * BLOCK);
    files.recount(&file, counted).unwrap();
    assert_eq!(files.quota.used(), 2 * BLOCK);
}

#[test]
fn counting_lists_no_directory_unless_a_command_ran() {
    let (directory, mut files) = tmp();
    let events = CommandEvents::default();
    // An error if it is listed.
    files.share_tmp(directory.path().join("missing"), events.clone());
    for _ in 0..10 {
        files.add_entry().unwrap();
    }
    for _ in 0..100 {
        assert!(is_full(files.add_entry()));
        files.release_entry();
        files.add_entry().unwrap();
    }
    events.record();
    assert_eq!(files.add_entry().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(is_full(files.add_entry()));
}

#[test]
fn tmp_is_measured_after_a_command_freed_space() {
    let (directory, mut files) = tmp();
    let events = CommandEvents::default();
    files.share_tmp(directory.path().to_owned(), events.clone());
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    let _open = create(&mut files, &a, 2);
    drop(create(&mut files, &b, 6));
    assert!(is_full(files.add_entry()));
    std::fs::remove_file(a).unwrap();
    std::fs::remove_file(b).unwrap();
    assert!(is_full(files.add_entry()));
    events.record();
    files.add_entry().unwrap();
    // The removed file that is open, and the new entry.
    assert_eq!(files.quota.used(), 4 * BLOCK);
}
