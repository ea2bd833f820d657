//! Prepares a volume by one closure, and reads it by ten at once.

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

    // Each run goes on by itself, so that all ten read at the same time.
    let runs: Vec<_> = (0..10).map(|_| submitter.spawn(read(word.clone()), &read_only)).collect();
    for run in runs {
        print(&run.wait()?);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
