//! Tar archives of world-writable directories, for upload to a daemon.

use std::io;

use tar::{Builder, EntryType, Header};

/// Returns a tar archive of directories that all users may read and write.
///
/// # Errors
///
/// An I/O error if a name is too long for the format.
pub(crate) fn world_writable_directories(names: &[String]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for name in names {
        let mut header = Header::new_ustar();
        header.set_path(format!("{name}/"))?;
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_mtime(0);
        header.set_cksum();
        archive.append(&header, io::empty())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn tar_lists_the_archived_directories() {
        let archive =
            world_writable_directories(&["volumes/0".into(), "volumes/1".into()]).unwrap();
        let mut tar = Command::new("tar")
            .args(["--list", "--verbose", "--numeric-owner"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = tar.wait_with_output().unwrap();
        assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        let listed: Vec<Vec<_>> =
            listed.lines().map(|line| line.split_whitespace().collect()).collect();
        for (entry, name) in listed.iter().zip(["volumes/0/", "volumes/1/"]) {
            assert_eq!((entry[0], entry[1], entry[5]), ("drwxrwxrwx", "0/0", name));
        }
        assert_eq!(listed.len(), 2);
    }
}
