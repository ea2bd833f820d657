//! Writes files to transfer, and measures memory.

use std::io::{self, Write};
use std::path::Path;

/// Writes `size` pseudorandom bytes, a multiple of 8, to a new file.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_file(path: &Path, size: usize) -> io::Result<()> {
    let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..size / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()
}

/// Returns the peak memory of this process in MiB, or `None` if the system doesn't report it.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? >> 10)
}
