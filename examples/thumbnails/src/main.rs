//! Creates thumbnails of PNG files in concurrent closures:
//! `cargo hype run -p thumbnails -- [--out DIRECTORY] [FILE...]`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context;
use thumbnails::thumbnail;

const SIDE: u32 = 64;

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let (pictures, out) = arguments(env::args_os().skip(1))?;
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();

    let mut runs = Vec::new();
    for path in pictures {
        let png = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let size = png.len();
        // `spawn` returns immediately, so the closures run concurrently.
        runs.push((path, size, submitter.spawn(thumbnail(png, SIDE), &env)));
    }
    for (path, size, run) in runs {
        let small = run.wait().await.with_context(|| path.display().to_string())?;
        let target = out.join(path.with_extension("thumbnail.png").file_name().unwrap_or_default());
        fs::write(&target, &small).with_context(|| format!("cannot write {}", target.display()))?;
        let (path, target) = (path.display(), target.display());
        println!("{path}: {size} bytes, {target}: {} bytes", small.len());
    }
    Ok(())
}

/// Parses the command line to the paths of the pictures and the directory for the thumbnails.
fn arguments(
    mut arguments: impl Iterator<Item = OsString>,
) -> anyhow::Result<(Vec<PathBuf>, PathBuf)> {
    let (mut pictures, mut out) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        if argument == "--out" {
            out = Some(arguments.next().context("--out needs a directory")?.into());
        } else {
            pictures.push(argument.into());
        }
    }
    if pictures.is_empty() {
        pictures = examples()?;
    }
    Ok((pictures, out.map_or_else(temporary, Ok)?))
}

fn examples() -> anyhow::Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let entries = directory.read_dir().context("cannot list the images of this example")?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Returns the directory `tmp` in the target directory; this program is `debug/thumbnails` there.
fn temporary() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("use --out to name a directory")?;
    Ok(target.join("tmp"))
}
