//! Runs commands elsewhere: `uname -a` and `df -h`, then `curl`, which leaves a word in a volume for ten that `cat`
//! it at once. Try it with `cargo hype run -p commands`, or name another URL behind `--`.

use commands::{extract_env, read, write};
use hype::blocking::Submitter;
use hype::{RunEnvironment, VolumeRequest};

const MOUNT: &str = "/usr/share/volume";

/// A word that most machines have.
const WORD: &str = "file:///etc/hostname";

#[hype::main]
fn main() -> hype::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| WORD.to_owned());
    let submitter = Submitter::ambient()?;
    let env = RunEnvironment::new();

    let seeing = env.allow_command("uname").allow_command("df");
    let res = submitter.submit(extract_env("uname -a".into()), &seeing)?;
    print(&res.cmd_output);
    print(&res.mounts);
    for var in &res.vars {
        print(&var.to_string());
    }

    let volume = VolumeRequest::transient("local-disk", "10Gi");
    let read_write = env.allow_command("curl").with_mount(volume.mount_read_write(MOUNT));
    let read_only = env.allow_command("cat").with_mount(volume.mount_read_only(MOUNT));

    submitter.submit(write(url, MOUNT.into()), &read_write)?;

    // Each run goes on by itself, so that all ten read at the same time.
    let runs: Vec<_> = (0..10).map(|_| submitter.spawn(read(MOUNT.into()), &read_only)).collect();
    for run in runs {
        print(&run.wait()?);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
