//! Writes to a volume in one closure, and reads it in ten concurrent ones.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use hype::blocking::Submitter;
use hype::{RunEnvironment, VolumeRequest};
use volumes::{read, write};

const MOUNT: &str = "/usr/share/volume";

#[hype::main]
fn main() -> hype::Result<()> {
    let submitter = Submitter::ambient()?;
    let volume = VolumeRequest::transient("local-disk", "10Gi");
    let env = RunEnvironment::new();
    let read_write = env.with_mount(volume.mount_read_write(MOUNT));
    let read_only = env.with_mount(volume.mount_read_only(MOUNT));
    let word = format!("{MOUNT}/word");

    submitter.submit(write(word.clone()), &read_write)?;

    // `spawn` returns immediately, so all ten runs read concurrently.
    let runs: Vec<_> = (0..10).map(|_| submitter.spawn(read(word.clone()), &read_only)).collect();
    for run in runs {
        println!("{}", run.wait()?);
    }
    Ok(())
}
