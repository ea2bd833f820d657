//! Calls a function of a component: parses the arguments as JSON and returns the value.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hype::Component;
use hype::component::{ArgumentList, EncodedValue, TextArguments};

use crate::arguments::{typed, untyped};
use crate::environment_options::EnvironmentOptions;
use crate::error::{Error, Result};
use crate::submitter_option::SubmitterOption;

const AFTER_HELP: &str = "\
The type of a parameter decides how its argument is read. A printed value can be passed as an argument.
  String, IpAddr, dates  the text itself, even 123 and null; or '\"two\\nlines\"'
  enum                   the name of a variant, or {\"Variant\": content}
  Option                 null, or the value; Some(None) is {\"$some\": null}
  bytes                  a list of numbers
  map                    {\"5\": 1}; or [[key, value], ..] for compound keys
  f64                    a number, \"NaN\", \"inf\" or \"-inf\"

Example: cargo hype call target/hype/hello.wasm example hello";

/// The function to call, its arguments and its environment.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, mut_arg("hype_profile", |arg| arg.visible_alias("profile")))]
pub struct CallOptions {
    /// The component, a .wasm file
    component: PathBuf,
    /// The function's name: example, or acme:text/stats.top for a function of an interface
    function: String,
    /// The arguments, each as JSON, or as plain text for a string parameter
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    arguments: Vec<String>,
    #[command(flatten)]
    environment: EnvironmentOptions,
    #[command(flatten)]
    submitter: SubmitterOption,
}

/// Calls the function and passes its value to `conclude`. Ctrl-C cancels the run.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
///
/// # Errors
///
/// If the component or the function doesn't exist, or an argument is invalid.
pub fn call(
    options: &CallOptions,
    conclude: impl FnOnce(Result<EncodedValue>) -> ExitCode,
) -> Result<ExitCode> {
    let function = open(&options.component)?.function(&options.function)?;
    let has_types = function.signature().is_some() || function.wit().is_some();
    let closure = match has_types {
        true => function.bind(TextArguments(&typed(&options.arguments))),
        false => {
            let arguments = untyped(&options.arguments, &options.function)?;
            function.bind(ArgumentList(&arguments))
        }
    };
    let env = options.environment.environment();
    options.submitter.apply();
    Ok(hype::__internal::run_main(async move {
        conclude(closure.in_env(&env).await.map_err(Error::from))
    }))
}

/// Opens the component at `path`.
///
/// # Errors
///
/// If the file doesn't exist, or isn't a component.
pub(crate) fn open(path: &Path) -> Result<Component> {
    if !path.exists() {
        return Err(Error::input(format!("there is no component {}", path.display()))
            .hint("cargo hype build creates components: target/hype/PACKAGE.wasm"));
    }
    Ok(Component::open(path)?)
}
