//! Runs commands in closures: `uname -a` and `df -h`, then `curl`, which writes a word to a volume, and ten times `cat`,
//! which read it concurrently.
//!
//! Run it with `cargo hype run -p commands`, or `cargo hype run -p commands -- URL`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use commands::{extract_env, read, write};
use hype::blocking::Submitter;
use hype::{CommandGrant, RunEnvironment, VolumeRequest};

const MOUNT: &str = "/usr/share/volume";

/// A URL that exists on most machines.
const DEFAULT_URL: &str = "file:///etc/hostname";

#[hype::main]
fn main() -> hype::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_URL.to_owned());
    let submitter = Submitter::ambient()?;
    let env = RunEnvironment::new();

    let with_commands = env.allow_command("uname").allow_command("df");
    let res = submitter.submit(extract_env("uname -a".into()), &with_commands)?;
    println!("{}", res.cmd_output);
    println!("{}", res.mounts);
    for var in &res.vars {
        println!("{var}");
    }

    let volume = VolumeRequest::transient("local-disk", "10Gi");
    let curl = CommandGrant::new("curl").with_network();
    let read_write = env.allow_command(curl).with_mount(volume.mount_read_write(MOUNT));
    let read_only = env.allow_command("cat").with_mount(volume.mount_read_only(MOUNT));

    submitter.submit(write(url, MOUNT.into()), &read_write)?;

    // `spawn` returns immediately, so all ten runs read concurrently.
    let runs: Vec<_> = (0..10).map(|_| submitter.spawn(read(MOUNT.into()), &read_only)).collect();
    for run in runs {
        println!("{}", run.wait()?);
    }
    Ok(())
}
