//! The options that describe the environment of a run.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use hype::environment::VolumeMount;
use hype::{CommandGrant, HostDirectory, RunEnvironment};

/// The environment of a function or a program.
#[derive(Debug, Args)]
pub(crate) struct EnvironmentOptions {
    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// Mount a directory of this machine; `:ro` makes it read-only
    #[arg(long, value_name = "HOST:GUEST[:ro]", value_parser = parse_mount)]
    mount: Vec<VolumeMount>,
    /// Stage a file of this machine for the run to read
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_host_and_guest)]
    file: Vec<(String, String)>,
    /// Stage a directory of this machine, with its contents, for the run to read
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_host_and_guest)]
    dir: Vec<(String, String)>,
    /// The maximum run time, e.g. 30s or 5m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// The maximum memory, e.g. 512MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<ByteSize>,
    /// Make runs reproducible: seed random numbers with SEED, and simulate the clock
    #[arg(long, value_name = "SEED")]
    deterministic: Option<u64>,
    /// Allow HTTP requests to these hosts, e.g. api.example.com or https://*.example.com
    #[arg(long, value_name = "HOSTS")]
    allow_http: Vec<String>,
    /// Allow HTTP requests to these hosts of private networks
    #[arg(long, value_name = "HOSTS")]
    allow_http_private: Vec<String>,
    /// Allow running this command, e.g. df; it has no network
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,
    /// Allow running this command with the network of the runner, e.g. curl
    #[arg(long, value_name = "NAME")]
    allow_network_command: Vec<String>,
}

impl EnvironmentOptions {
    /// Returns the environment.
    pub(crate) fn environment(&self) -> RunEnvironment {
        let mut env = RunEnvironment::new();
        for (name, value) in &self.env {
            env = env.with_env(name, value);
        }
        for mount in &self.mount {
            env = env.with_mount(mount.clone());
        }
        for (host, guest) in &self.file {
            env = env.with_file(host, guest);
        }
        for (host, guest) in &self.dir {
            env = env.with_dir(host, guest);
        }
        if let Some(timeout) = self.timeout {
            env = env.with_timeout(timeout);
        }
        if let Some(memory) = self.memory {
            env = env.with_memory(memory.as_u64());
        }
        if let Some(seed) = self.deterministic {
            env = env.deterministic(seed);
        }
        for hosts in &self.allow_http {
            env = env.allow_http(hosts);
        }
        for hosts in &self.allow_http_private {
            env = env.allow_http_private(hosts);
        }
        for name in &self.allow_command {
            env = env.allow_command(name);
        }
        for name in &self.allow_network_command {
            env = env.allow_command(CommandGrant::new(name).with_network());
        }
        env
    }
}

fn parse_variable(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

fn parse_mount(text: &str) -> std::result::Result<VolumeMount, String> {
    let (paths, read_only) = match text.strip_suffix(":ro") {
        Some(paths) => (paths, true),
        None => (text, false),
    };
    let (host, guest) = paths
        .rsplit_once(':')
        .filter(|(host, guest)| !host.is_empty() && !guest.is_empty())
        .ok_or("write HOST:GUEST or HOST:GUEST:ro, e.g. ./data:/data:ro")?;
    let directory = HostDirectory::new(host);
    Ok(if read_only { directory.mount_read_only(guest) } else { directory.mount_read_write(guest) })
}

fn parse_host_and_guest(text: &str) -> std::result::Result<(String, String), String> {
    text.rsplit_once(':')
        .filter(|(host, guest)| !host.is_empty() && !guest.is_empty())
        .map(|(host, guest)| (host.to_owned(), guest.to_owned()))
        .ok_or_else(|| "write HOST:GUEST, e.g. ./data:/data".to_owned())
}

fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a duration such as 30s or 5m".to_owned())
}

/// Reads a size such as `512MiB`.
pub(crate) fn parse_size(text: &str) -> std::result::Result<ByteSize, String> {
    text.parse().map_err(|_| "write a size such as 512MiB or 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_path_of_a_mount_may_contain_colons() {
        let here = HostDirectory::new("a:b");
        assert_eq!(parse_mount("a:b:/c").unwrap(), here.mount_read_write("/c"));
        assert_eq!(parse_mount("a:b:/c:ro").unwrap(), here.mount_read_only("/c"));
        assert!(parse_mount("/c").is_err());
        assert_eq!(parse_host_and_guest("a:b:/c"), Ok(("a:b".into(), "/c".into())));
        assert!(parse_host_and_guest("/c").is_err() && parse_host_and_guest(":/c").is_err());
    }
}
