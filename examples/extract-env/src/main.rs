//! Shows what a closure sees: what its environment names, and nothing of this machine. Try it with
//! `SECRET=hush cargo hype run -p extract-env`.

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
        print(&var.to_string());
    }
    for file in &res.files {
        print(&file.to_string());
    }
    // HOME and PATH are there, too, but these are the sandbox's own.
    let is_seen = |name: &str| res.vars.iter().any(|var| var.name == name);
    let hidden = std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(is_seen));
    print(&format!("{} variables of this machine are not there", hidden.count()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn print(line: &str) {
    println!("{line}");
}
