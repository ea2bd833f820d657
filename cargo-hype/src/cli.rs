//! The command line of `cargo hype`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hype::__internal::exit_status;

use crate::build::{Built, build};
use crate::call::{CallOptions, call};
use crate::choice::Choice;
use crate::embed::{Embedded, embed};
use crate::error::Result;
use crate::gc::{GcOptions, Report, gc};
use crate::inspect::{InspectOptions, inspect};
use crate::new::{New, NewOptions, new};
use crate::print::{print_line, print_value};
use crate::program::Program;
use crate::project::Project;
use crate::run::run;

/// Run your functions somewhere else and get their values back.
#[derive(Debug, Parser)]
#[command(
    name = "cargo hype",
    bin_name = "cargo hype",
    version,
    after_help = "Exit status: 0 done; 1 the closure failed; 2 wrong usage or input; \
                  3 the machinery failed."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a package with a function, a test of it, and a program that runs it
    New(NewOptions),
    /// Compile packages' libraries to components, target/hype/PACKAGE.wasm
    ///
    /// Without -p at the root of a workspace, those of all packages that define functions.
    Build {
        #[command(flatten)]
        selection: Selection,
        /// Build the package's programs too, with the components inside that they need
        #[arg(long)]
        embed: bool,
        /// The program to embed into, if not all of the package's
        #[arg(long, value_name = "NAME", requires = "embed")]
        bin: Option<String>,
        /// What to print for each component
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        message_format: MessageFormat,
    },
    /// Build a program and the components whose functions it calls, then run it
    ///
    /// The exit status is the program's.
    Run {
        #[command(flatten)]
        selection: Selection,
        /// The program to run, if the package has several
        #[arg(long, value_name = "NAME")]
        bin: Option<String>,
        #[command(flatten)]
        choice: Choice,
        /// What to hand to the program
        #[arg(value_name = "ARG", trailing_var_arg = true)]
        arguments: Vec<OsString>,
    },
    /// Call a function of a component and print its value as JSON
    Call(CallOptions),
    /// Print what a component is, without running it
    Inspect(InspectOptions),
    /// Remove what old runs left in the stage, and the blobs that no run needs any more
    Gc(GcOptions),
}

/// Which packages, and how to compile them; the same as cargo's.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// The package, in cargo's notation [default: that of this directory]
    #[arg(short, long = "package", value_name = "SPEC")]
    pub packages: Vec<String>,
    /// Compile optimized, with the profile `release`
    #[arg(short, long, conflicts_with = "profile")]
    pub release: bool,
    /// Compile with this profile
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Features to enable
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub features: Vec<String>,
    /// Enable all features
    #[arg(long)]
    pub all_features: bool,
    /// Don't enable the feature `default`
    #[arg(long)]
    pub no_default_features: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MessageFormat {
    /// A line for people, on the standard error
    Human,
    /// A line of JSON, on the standard output
    Json,
}

/// Does what `arguments` say: those of a process, with or without a leading `hype`.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(without_hype(arguments)) {
        Err(error) => {
            // Nobody is there to read it.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit_status::WRONG_USAGE))
        }
        Ok(cli) => conclude(execute(cli.command)),
    }
}

/// Says what went wrong, and gives the exit status.
fn conclude(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", error.report());
        ExitCode::from(error.exit_code())
    })
}

fn told(report: Report) -> Result<ExitCode> {
    report.lines.iter().try_for_each(|line| print_line(line))?;
    eprintln!("{}", report.summary);
    Ok(ExitCode::SUCCESS)
}

/// cargo hands its own name for us on as the first argument.
fn without_hype(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "hype") {
        arguments.remove(1);
    }
    arguments
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::New(options) => {
            eprintln!("{}", created(&new(&options)?));
            Ok(ExitCode::SUCCESS)
        }
        Command::Build { selection, embed: false, message_format, .. } => {
            let components = build(&Project::here()?, &selection)?;
            tell(message_format, components.iter().map(|built| (line(built), json(built))))
        }
        Command::Build { selection, bin, message_format, .. } => {
            let Embedded { components, programs } =
                embed(&Project::here()?, &selection, bin.as_deref())?;
            tell(message_format, components.iter().map(|built| (line(built), json(built))))?;
            let told = |program| (program_line(program), program_json(program, &components));
            tell(message_format, programs.iter().map(told))
        }
        Command::Run { selection, bin, choice, arguments } => {
            run(&Project::here()?, &selection, bin.as_deref(), (&choice, &arguments))
        }
        Command::Call(options) => {
            let print = |value| print_value(&value).map(|()| ExitCode::SUCCESS);
            call(&options, |value| conclude(value.and_then(print)))
        }
        Command::Inspect(options) => {
            print_line(&inspect(&options)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Gc(options) => Ok(gc(&options, |report| conclude(report.and_then(told)))),
    }
}

fn created(package: &New) -> String {
    let New { name, workspace, profile, next } = package;
    let place = match workspace {
        Some(root) => format!(", a member of the workspace {}", root.display()),
        None => String::new(),
    };
    let mut told = format!("{:>12} package `{name}`{place}\n", "Created");
    if let (Some(root), Some(lines)) = (workspace, profile) {
        let has_heading = lines.starts_with('[');
        let below = if has_heading { "" } else { ", below its [profile.dev.package]" };
        let manifest = root.join("Cargo.toml");
        told.push_str(&format!(
            "{:>12} these lines to {}{below}, without which dev builds compile components \
             slowly:\n\n{lines}\n\n",
            "Add",
            manifest.display()
        ));
    }
    told + &format!("{:>12} {next}", "Next")
}

/// Tells what was built, each thing as a line for people and one for tools.
fn tell(
    format: MessageFormat,
    mut lines: impl Iterator<Item = (String, String)>,
) -> Result<ExitCode> {
    lines.try_for_each(|(line, json)| match format {
        MessageFormat::Human => {
            eprintln!("{line}");
            Ok(())
        }
        MessageFormat::Json => print_line(&json),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn line(built: &Built) -> String {
    let functions = match built.functions.as_slice() {
        [one] => format!("1 function: {}", one.name),
        several => {
            let names: Vec<_> = several.iter().map(|function| function.name.as_str()).collect();
            format!("{} functions: {}", several.len(), names.join(", "))
        }
    };
    let size = bytesize::ByteSize(built.size);
    let verb = if built.fresh { "Unchanged" } else { "Component" };
    format!("{verb:>12} {} ({size}, {functions})", built.path.display())
}

fn json(built: &Built) -> String {
    serde_json::json!({
        "reason": "hype-component",
        "package": built.package,
        "path": built.path,
        "digest": built.digest.to_string(),
        "size": built.size,
        "functions": built.functions.iter().map(|function| &function.name).collect::<Vec<_>>(),
        "fresh": built.fresh,
    })
    .to_string()
}

fn program_line(program: &Program) -> String {
    format!("{:>12} {}, with its components inside", "Program", program.path.display())
}

fn program_json(program: &Program, components: &[Built]) -> String {
    serde_json::json!({
        "reason": "hype-program",
        "name": program.name,
        "path": program.path,
        "components": components.iter().map(|built| &built.package).collect::<Vec<_>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn cargo_may_name_us() {
        let with = ["cargo-hype", "hype", "call", "hype"].map(OsString::from);
        let without = ["cargo-hype", "call", "hype"].map(OsString::from);
        assert_eq!(without_hype(with), without);
        assert_eq!(without_hype(without.clone()), without);
    }
}
