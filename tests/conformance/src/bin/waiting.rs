//! A program whose closure waits until somebody ends the program, by the submitter that variables choose
//! and with a volume that goes with it.

use hype::{RunEnvironment, VolumeRequest};
use test_guests::surroundings::say_then_wait_for;

#[hype::main]
async fn main() -> hype::Result<()> {
    let volume = VolumeRequest::transient("local-disk", "1Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_only("/volume"));
    let closure = say_then_wait_for("waiting".into(), "/volume/never".into());
    closure.in_env(&env).await.map(drop)
}
