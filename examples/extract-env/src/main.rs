//! Shows that a closure sees the variables and files of its environment, and none of this machine's.
//!
//! Run it with `SECRET=hush cargo hype run -p extract-env`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::path::Path;

use extract_env::extract_env;
use hype::{HostDirectory, RunEnvironment};

#[hype::main]
async fn main() -> hype::Result<()> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let submitter = hype::Submitter::ambient()?;
    let env = RunEnvironment::new()
        .with_env("LANG", "en")
        .with_env("MODEL", "small")
        .with_file(package.join("Cargo.toml"), "/etc/example/manifest.toml")
        .with_mount(HostDirectory::new(package.join("src")).mount_read_only("/src"));

    let directories = vec!["/etc/example".into(), "/src".into(), "/tmp".into()];
    let res = submitter.submit(extract_env(directories), &env).await?;

    for var in &res.vars {
        println!("{var}");
    }
    for file in &res.files {
        println!("{file}");
    }
    // HOME and PATH exist too, with values of the sandbox.
    let is_visible = |name: &str| res.vars.iter().any(|var| var.name == name);
    let hidden = std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(is_visible));
    println!("{} variables of this machine are not there", hidden.count());
    Ok(())
}
