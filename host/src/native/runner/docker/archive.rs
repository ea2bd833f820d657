//! The one kind of archive that a daemon is sent: directories that anybody may write to.

use std::io;

use tar::{Builder, EntryType, Header};

/// A tar archive of these directories, which all users may read and write.
///
/// # Errors
///
/// When a name is too long to stand in it.
pub(crate) fn open_directories(names: &[String]) -> io::Result<Vec<u8>> {
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
    fn tar_reads_it() {
        let archive = open_directories(&["volumes/0".into(), "volumes/1".into()]).unwrap();
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
