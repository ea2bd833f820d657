//! Closures that use up the space in a directory.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

static CHUNK: [u8; 64 << 10] = [b'a'; 64 << 10];

/// Writes files of `size` bytes until one fails. Returns the number of bytes written and the kind of the error.
#[hype::function]
pub fn fill(directory: String, size: u64) -> (u64, String) {
    fill_directory(&directory, size)
}

fn fill_directory(directory: &str, size: u64) -> (u64, String) {
    let mut written = 0;
    for number in 0_u64.. {
        let filled = File::create_new(format!("{directory}/{number}"))
            .and_then(|mut file| fill_file(&mut file, size, &mut written));
        if let Err(error) = filled {
            return (written, kind(&error));
        }
    }
    (written, String::new())
}

fn fill_file(file: &mut File, size: u64, written: &mut u64) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let chunk = &CHUNK[..CHUNK.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        file.write_all(chunk)?;
        *written += chunk.len() as u64;
        left -= chunk.len() as u64;
    }
    Ok(())
}

/// Writes files that are removed while they are open, until one fails. Returns the number of bytes written and the
/// kind of the error.
#[hype::function]
pub fn fill_removed(directory: String, size: u64) -> (u64, String) {
    let mut written = 0;
    let mut open = Vec::new();
    loop {
        let path = format!("{directory}/removed");
        let filled = File::create_new(&path).and_then(|mut file| {
            fs::remove_file(&path)?;
            let filled = fill_file(&mut file, size, &mut written);
            open.push(file);
            filled
        });
        if let Err(error) = filled {
            return (written, kind(&error));
        }
    }
}

/// Writes one file `times` times, and removes, truncates or overwrites it in turns.
#[hype::function]
pub fn reuse(directory: String, size: u64, times: u32) -> io::Result<u64> {
    let path = format!("{directory}/reused");
    let mut written = 0;
    for turn in 0..times {
        let mut file = File::create(&path)?;
        fill_file(&mut file, size, &mut written)?;
        file.seek(SeekFrom::Start(0))?;
        fill_file(&mut file, size, &mut written)?;
        match turn % 3 {
            0 => fs::remove_file(&path)?,
            1 => file.set_len(0)?,
            _ => {}
        }
    }
    Ok(written)
}

/// Tries to make a file larger than the limit by truncation, seeking and appending. Returns the kinds of the errors.
#[hype::function]
pub fn stretch(directory: String, size: u64) -> io::Result<Vec<String>> {
    let path = format!("{directory}/stretched");
    let mut file = File::create(&path)?;
    let mut errors = vec![file.set_len(size).map_err(|error| kind(&error))];
    file.seek(SeekFrom::Start(size))?;
    errors.push(file.write_all(b"a").map_err(|error| kind(&error)));
    let mut appended = File::options().append(true).open(&path)?;
    let appended = (0..=size / CHUNK.len() as u64).try_for_each(|_| appended.write_all(&CHUNK));
    errors.push(appended.map_err(|error| kind(&error)));
    Ok(errors.into_iter().filter_map(Result::err).collect())
}

/// Creates empty files and directories until one fails. Returns their number and the kind of the error.
#[hype::function]
pub fn crowd(directory: String) -> (u64, String) {
    crowd_directory(&directory)
}

fn crowd_directory(directory: &str) -> (u64, String) {
    let mut count = 0;
    loop {
        let path = format!("{directory}/{count}");
        let made = match count % 2 {
            0 => File::create_new(&path).map(drop),
            _ => fs::create_dir(&path),
        };
        if let Err(error) = made {
            return (count, kind(&error));
        }
        count += 1;
    }
}

/// Creates, truncates, renames and removes entries `times` times, also without success. Then fills the directory, in
/// which nothing else is left. Returns the number of bytes written and the kind of the error.
#[hype::function]
pub fn churn_and_fill(directory: String, times: u32) -> io::Result<(u64, String)> {
    let path = |name: &str| format!("{directory}/{name}");
    for turn in 0..times {
        let [a, b, c, d] = ["a", "b", "c", "d"].map(path);
        fs::write(&a, &CHUNK[..5000])?;
        File::create(&a)?.write_all(&CHUNK[..9000])?;
        File::options().append(true).create(true).open(&a)?.write_all(&CHUNK[..9000])?;
        fails(File::create_new(&a));
        fails(fs::create_dir(&a));
        fails(fs::remove_file(path("missing")));
        fails(fs::remove_dir(path("missing")));
        fails(fs::rename(path("missing"), &a));
        fails(File::create(path("missing/file")));
        fs::hard_link(&a, &b)?;
        fails(fs::hard_link(&a, &b));
        // Both name the same file, so that nothing changes.
        fs::rename(&a, &b)?;
        fs::rename(&a, &a)?;
        fs::write(&c, &CHUNK[..40_000])?;
        fs::rename(&c, &b)?;
        let open = File::open(&b)?;
        fs::rename(&a, &b)?;
        drop(open);
        fs::create_dir(&d)?;
        fails(fs::remove_file(&d));
        fs::create_dir(&c)?;
        fs::rename(&c, &d)?;
        fs::rename(&b, format!("{d}/b"))?;
        fails(fs::remove_dir(&d));
        if turn % 2 == 0 {
            let open = File::options().write(true).open(format!("{d}/b"))?;
            fs::remove_file(format!("{d}/b"))?;
            open.set_len(0)?;
            open.set_len(50_000)?;
        } else {
            fs::remove_file(format!("{d}/b"))?;
        }
        fs::remove_dir(&d)?;
    }
    Ok(fill_directory(&directory, u64::MAX))
}

/// Writes the file `from`, and tries to rename it to `to` and to link it there. Returns the numbers of the errors.
#[hype::function]
pub fn rename_and_link(from: String, to: String) -> io::Result<Vec<Option<i32>>> {
    fs::write(&from, "moved")?;
    let results = [fs::rename(&from, &to), fs::hard_link(&from, &to)];
    Ok(results.map(|result| result.err().and_then(|error| error.raw_os_error())).into())
}

/// Asserts that a call fails.
fn fails<T>(result: io::Result<T>) {
    assert!(result.is_err(), "the call succeeded");
}

/// Fills the directory with entries, and replaces one of them `times` times. Returns the number of entries.
#[hype::function]
pub fn replace_in_full(directory: String, times: u32) -> io::Result<u64> {
    let (count, _) = crowd_directory(&directory);
    for _ in 0..times {
        fs::remove_file(format!("{directory}/0"))?;
        File::create_new(format!("{directory}/0"))?;
        fails(File::create_new(format!("{directory}/more")));
    }
    Ok(count)
}

/// Creates `depth` nested directories by short paths.
#[hype::function]
pub fn nest(directory: String, depth: u32) -> io::Result<()> {
    let directory = Path::new(&directory);
    for level in 0..depth {
        let around = directory.join((level % 2).to_string());
        fs::create_dir(&around)?;
        if level > 0 {
            fs::rename(directory.join(((level + 1) % 2).to_string()), around.join("in"))?;
        }
    }
    Ok(())
}

/// Opens and closes one file `count` times.
#[hype::function]
pub fn reopen(path: String, count: u32) -> io::Result<()> {
    File::create(&path)?;
    (0..count).try_for_each(|_| File::open(&path).map(drop))
}

fn kind(error: &io::Error) -> String {
    format!("{:?}", error.kind())
}
