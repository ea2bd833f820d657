//! Closures that want room in a directory, and more of it than there is.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const CHUNK: [u8; 64 << 10] = [b'a'; 64 << 10];

/// How many bytes went into files of `size` bytes each before one failed, and how it failed.
#[hype::function]
pub fn fill(directory: String, size: u64) -> (u64, String) {
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

/// How many bytes went into files that were removed while they were open.
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

/// Fills one file again and again: removed, cut and written over in turns.
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

/// Tries what makes a file larger than all that there is, without writing that much.
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

/// How many of each kind of entry there can be: empty files, directories, links.
#[hype::function]
pub fn crowd(directory: String) -> (u64, String) {
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

/// Makes a directory in a directory, so many times, by paths that stay short.
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

/// Opens one file so many times, one after the other.
#[hype::function]
pub fn reopen(path: String, count: u32) -> io::Result<()> {
    File::create(&path)?;
    (0..count).try_for_each(|_| File::open(&path).map(drop))
}

fn kind(error: &io::Error) -> String {
    format!("{:?}", error.kind())
}
