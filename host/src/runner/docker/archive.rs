//! The one kind of archive that a daemon is sent: directories that anybody may write to.

/// How many bytes a block of an archive has.
const BLOCK: usize = 512;

/// A tar archive of these directories, which all users may read and write.
pub(crate) fn open_directories(names: &[String]) -> Vec<u8> {
    let mut archive: Vec<u8> = names.iter().flat_map(|name| header(name)).collect();
    archive.extend([0; 2 * BLOCK]);
    archive
}

/// The block that says all of a directory. The name must be short.
fn header(name: &str) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, &format!("{name}/"));
    put(100, "0000777\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, "00000000000\0");
    put(136, "00000000000\0");
    // The checksum is that of a block with spaces in its place.
    put(148, "        ");
    put(156, "5");
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn tar_reads_it() {
        let archive = open_directories(&["volumes/0".into(), "volumes/1".into()]);
        assert_eq!(archive.len(), 4 * BLOCK);
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
