//! A function of a component, with JSON in and out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use hype::component::{ArgumentList, EncodedValue, TextArguments};
use hype::environment::VolumeMount;
use hype::{Component, HostDirectory, RunEnvironment};

use crate::arguments::{typed, untyped};
use crate::choice::Choice;
use crate::error::{Error, Result};

const AFTER_HELP: &str = "\
The types of the parameters decide what an argument is. What is printed can be an argument again.
  String, IpAddr, dates  the text as it is, even 123 and null; or a JSON string: '\"two\\nlines\"'
  enum                   the name of a variant, or {\"Variant\": content}
  Option                 null, or what is in it; Some(None) is {\"$some\": null}
  bytes                  a list of numbers
  map                    {\"5\": 1}; with keys that are no text, number or boolean [[key, value], ..]
  f64                    a number, \"NaN\", \"inf\" or \"-inf\"

Example: cargo hype call target/hype/hello.wasm example hello";

/// What to call, with what, where.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CallOptions {
    /// The component, a .wasm file
    component: PathBuf,
    /// The function's name
    function: String,
    /// Its arguments: each is JSON, or text for a parameter that is text
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// An environment variable for the function
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A directory for the function; `:ro` for reading only
    #[arg(long, value_name = "HOST:GUEST[:ro]", value_parser = mount)]
    mount: Vec<VolumeMount>,
    /// A file of this machine, staged for the function to read
    #[arg(long, value_name = "HOST:GUEST", value_parser = host_and_guest)]
    file: Vec<(String, String)>,
    /// A directory of this machine, staged with all that is in it for the function to read
    #[arg(long, value_name = "HOST:GUEST", value_parser = host_and_guest)]
    dir: Vec<(String, String)>,
    #[command(flatten)]
    choice: Choice,
    /// How long it may run, e.g. 30s or 5m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// How much memory it may have, e.g. 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<ByteSize>,
    /// Make its runs alike: random numbers follow from this number, and time is its own
    #[arg(long, value_name = "SEED")]
    deterministic: Option<u64>,
    /// Hosts that it may send HTTP requests to, e.g. api.example.com or https://*.example.com
    #[arg(long, value_name = "HOSTS")]
    allow_http: Vec<String>,
    /// The same for hosts of private networks
    #[arg(long, value_name = "HOSTS")]
    allow_http_private: Vec<String>,
    /// Commands that it may run, e.g. curl; they have all the rights of whoever runs the function
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,
}

/// Calls the function and hands its value on. Ctrl-C cancels the run.
///
/// It gives the exit status: that of `conclude`, or 130 after Ctrl-C.
///
/// # Errors
///
/// When there is no such function, or an argument can be none of any function.
pub fn call(
    options: &CallOptions,
    conclude: impl FnOnce(Result<EncodedValue>) -> ExitCode,
) -> Result<ExitCode> {
    let function = open(&options.component)?.function(&options.function)?;
    let closure = match function.signature() {
        Some(_) => function.bind(TextArguments(&typed(&options.arguments))),
        None => {
            let arguments = untyped(&options.arguments, &options.function)?;
            function.bind(ArgumentList(&arguments))
        }
    };
    let env = environment(options);
    options.choice.choose();
    Ok(hype::__internal::run_main(async move {
        conclude(closure.in_env(&env).await.map_err(Error::from))
    }))
}

/// The component at `path`.
///
/// # Errors
///
/// When it isn't there, or isn't a component.
pub(crate) fn open(path: &Path) -> Result<Component> {
    if !path.exists() {
        return Err(Error::input(format!("there is no component {}", path.display()))
            .hint("cargo hype build makes them: target/hype/PACKAGE.wasm"));
    }
    Ok(Component::open(path)?)
}

fn environment(options: &CallOptions) -> RunEnvironment {
    let mut env = RunEnvironment::new();
    for (name, value) in &options.env {
        env = env.with_env(name, value);
    }
    for mount in &options.mount {
        env = env.with_mount(mount.clone());
    }
    for (host, guest) in &options.file {
        env = env.with_file(host, guest);
    }
    for (host, guest) in &options.dir {
        env = env.with_dir(host, guest);
    }
    if let Some(timeout) = options.timeout {
        env = env.with_timeout(timeout);
    }
    if let Some(memory) = options.memory {
        env = env.with_memory(memory.as_u64());
    }
    if let Some(seed) = options.deterministic {
        env = env.deterministic(seed);
    }
    for hosts in &options.allow_http {
        env = env.allow_http(hosts);
    }
    for hosts in &options.allow_http_private {
        env = env.allow_http_private(hosts);
    }
    for name in &options.allow_command {
        env = env.allow_command(name);
    }
    env
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

fn mount(text: &str) -> std::result::Result<VolumeMount, String> {
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

fn host_and_guest(text: &str) -> std::result::Result<(String, String), String> {
    text.rsplit_once(':')
        .filter(|(host, guest)| !host.is_empty() && !guest.is_empty())
        .map(|(host, guest)| (host.to_owned(), guest.to_owned()))
        .ok_or_else(|| "write HOST:GUEST, e.g. ./data:/data".to_owned())
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a duration such as 30s or 5m".to_owned())
}

fn size(text: &str) -> std::result::Result<ByteSize, String> {
    text.parse().map_err(|_| "write a size such as 512MiB or 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_from_their_ends() {
        let here = HostDirectory::new("a:b");
        assert_eq!(mount("a:b:/c").unwrap(), here.mount_read_write("/c"));
        assert_eq!(mount("a:b:/c:ro").unwrap(), here.mount_read_only("/c"));
        assert!(mount("/c").is_err());
        assert_eq!(host_and_guest("a:b:/c"), Ok(("a:b".into(), "/c".into())));
        assert!(host_and_guest("/c").is_err() && host_and_guest(":/c").is_err());
    }
}
