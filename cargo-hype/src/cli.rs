//! The command line of `cargo hype`.

mod built;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use hype::__internal::exit_status;
use hype::component::EncodedValue;

use self::built::{MessageFormat, component_lines, print_built, program_lines};
use crate::attach::{AttachOptions, Attached, attach};
use crate::build::build;
use crate::call::{CallOptions, call};
use crate::cancel::{CancelOptions, cancel};
use crate::color::{self, When};
use crate::completions::{self, CompletedShell};
use crate::describe::{DescribeOptions, describe};
use crate::doctor::{DoctorOptions, doctor};
use crate::embed::{Embedded, embed};
use crate::error::Result;
use crate::exec::{self, ExecOptions, exec};
use crate::gc::{GcOptions, Report, gc};
use crate::inspect::{InspectOptions, inspect};
use crate::logs::{LogsOptions, logs};
use crate::map::{MapOptions, Tally, map};
use crate::new::{New, NewOptions, new};
use crate::print::{print_error, print_json, print_line, print_note, print_value};
use crate::project::Project;
use crate::ps::{PsOptions, ps};
use crate::report::{ReportOptions, report};
use crate::run::run;
use crate::submitter_option::SubmitterOption;

const BUILD_HELP: &str = "\
Examples:
  cargo hype build
  cargo hype build -p wordcount --release
  cargo hype build --embed --bin wordcount";

const RUN_HELP: &str = "\
Examples:
  cargo hype run
  cargo hype run -p wordcount -- LICENSE
  cargo hype run --submitter docker";

const COMPLETIONS_HELP: &str = "\
The scripts complete `cargo hype` and `cargo-hype`. In Bash and fish, they must be read when the shell starts. zsh \
reads them from a directory of $fpath, and completes `cargo hype` if it also has the completions of cargo there: rustup \
completions zsh cargo.

Examples:
  echo 'source <(cargo hype completions bash)' >>~/.bashrc
  mkdir -p ~/.zfunc
  cargo hype completions zsh >~/.zfunc/_cargo-hype
  # Before compinit in ~/.zshrc: fpath=(~/.zfunc $fpath)
  mkdir -p ~/.config/fish/conf.d
  cargo hype completions fish >~/.config/fish/conf.d/cargo-hype.fish";

const MAIN_HELP: &str = "\
Examples:
  cargo hype new greeting && cd greeting && cargo hype run
  cargo hype doctor

Exit status: 0 success; 1 the closure failed; 2 wrong usage or input; 3 hype, the stage or the runner failed.
cargo hype exec has its own, see cargo hype exec --help.";

/// Run your functions somewhere else and get their values back.
#[derive(Debug, Parser)]
#[command(
    name = "cargo hype",
    bin_name = "cargo hype",
    version,
    after_help = MAIN_HELP
)]
struct Cli {
    /// Colour output: auto, always or never
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        display_order = 900,
        hide_possible_values = true,
        default_value = "auto"
    )]
    color: When,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a package with a function, a test of it, and a program that runs it
    New(NewOptions),
    /// Compile the libraries of packages to components, target/hype/PACKAGE.wasm
    ///
    /// A package in another language states the command that builds its component, in its Cargo.toml. At the root of a workspace, without -p, compiles all packages that define functions.
    #[command(after_help = BUILD_HELP)]
    Build {
        #[command(flatten)]
        selection: Selection,
        /// Also build the package's programs, with the components that they need embedded
        #[arg(long)]
        embed: bool,
        /// The program to build [default: all programs of the package]
        #[arg(long, value_name = "NAME", requires = "embed")]
        bin: Option<String>,
        /// The format of the line printed for each component
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        message_format: MessageFormat,
    },
    /// Build a program and the components whose functions it calls, then run it
    ///
    /// Exits with the exit status of the program.
    #[command(after_help = RUN_HELP)]
    Run {
        #[command(flatten)]
        selection: Selection,
        /// The program to run, if the package has several
        #[arg(long, value_name = "NAME")]
        bin: Option<String>,
        #[command(flatten)]
        submitter: SubmitterOption,
        /// The arguments of the program
        #[arg(value_name = "ARG", trailing_var_arg = true)]
        arguments: Vec<OsString>,
    },
    /// Call a function of a component and print its value as JSON
    Call(CallOptions),
    /// Run a whole program, which is any WASI command in WebAssembly
    Exec(ExecOptions),
    /// Call a function for each line of a file, or for each row of a CSV file
    Map(MapOptions),
    /// Print the functions, imports and exports of a component, without running it
    Inspect(InspectOptions),
    /// List runs, whichever program started them
    Ps(PsOptions),
    /// Print what a run wrote to its standard output and error
    Logs(LogsOptions),
    /// Print everything that is known of a run
    Describe(DescribeOptions),
    /// Wait for a run that another program started, or read the results of a staged map
    Attach(AttachOptions),
    /// Print the report of a staged map, or write it as a page
    Report(ReportOptions),
    /// Stop runs, and remove everything that they created
    Cancel(CancelOptions),
    /// Delete old runs from the stage, the blobs that no run needs any more, and expired containers
    Gc(GcOptions),
    /// Check the toolchain, the stage and the runner, and print how to fix what is missing
    Doctor(DoctorOptions),
    /// Print a script that completes `cargo hype` in a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: CompletedShell,
    },
}

/// The packages to build and how to compile them; the options are cargo's.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// The package, as a cargo package spec [default: the package of this directory]
    #[arg(short, long = "package", value_name = "SPEC")]
    pub packages: Vec<String>,
    /// Compile with the profile `release`
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

/// Runs the command line `arguments`, which start with the name of the process.
///
/// cargo inserts `hype` as the first argument; it may be missing.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = without_hype(arguments);
    let is_exec = command_of(&arguments).is_some_and(|command| command == "exec");
    match Cli::try_parse_from(arguments) {
        Err(error) => {
            // Standard error may be closed; the exit status still reports the error.
            let _ = error.print();
            ExitCode::from(match u8::try_from(error.exit_code()) {
                Ok(exit_status::SUCCESS) => exit_status::SUCCESS,
                _ if is_exec => exec::OWN_ERROR,
                status => status.unwrap_or(exit_status::WRONG_USAGE),
            })
        }
        Ok(cli) => {
            color::choose(cli.color);
            conclude(execute(cli.command))
        }
    }
}

/// Returns the exit status; prints the error, if any.
fn conclude(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        print_error(&error.report());
        ExitCode::from(error.exit_code())
    })
}

/// Returns the exit status of a command that has printed its result.
fn conclude_unit(result: Result<()>) -> ExitCode {
    conclude(result.map(|()| ExitCode::SUCCESS))
}

fn print_encoded(value: EncodedValue) -> Result<ExitCode> {
    print_value(&value).map(|()| ExitCode::SUCCESS)
}

fn print_attached(attached: Attached) -> Result<ExitCode> {
    match attached {
        Attached::Value(value) => print_encoded(value),
        Attached::Map(tally) => print_tally(tally),
    }
}

/// Prints the summary of a map. Returns its exit status.
fn print_tally(tally: Tally) -> Result<ExitCode> {
    tally.summary().into_iter().for_each(print_note);
    Ok(ExitCode::from(tally.exit_status()))
}

fn print_report(report: Report) -> Result<ExitCode> {
    report.lines.iter().try_for_each(|line| print_line(line))?;
    print_note(report.summary);
    report.warnings.iter().for_each(|warning| print_error(warning));
    report.error.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Removes the argument `hype`, which cargo inserts when it runs this subcommand.
fn without_hype(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "hype") {
        arguments.remove(1);
    }
    arguments
}

/// Returns the name of the command in `arguments`, which global options may precede.
fn command_of(arguments: &[OsString]) -> Option<&OsString> {
    let mut arguments = arguments.iter().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--color" {
            arguments.next();
        } else if !argument.as_encoded_bytes().starts_with(b"-") {
            return Some(argument);
        }
    }
    None
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::New(options) => {
            print_note(describe_created(&new(&options)?));
            Ok(ExitCode::SUCCESS)
        }
        Command::Build { selection, embed: false, message_format, .. } => {
            let components = build(&Project::here()?, &selection)?;
            print_built(message_format, components.iter().map(component_lines))
        }
        Command::Build { selection, bin, message_format, .. } => {
            let Embedded { components, programs } =
                embed(&Project::here()?, &selection, bin.as_deref())?;
            print_built(message_format, components.iter().map(component_lines))?;
            let lines = |program| program_lines(program, &components);
            print_built(message_format, programs.iter().map(lines))
        }
        Command::Run { selection, bin, submitter, arguments } => {
            run(&Project::here()?, &selection, bin.as_deref(), &submitter, &arguments)
        }
        Command::Call(options) => call(&options, |value| conclude(value.and_then(print_encoded))),
        Command::Exec(options) => Ok(exec(&options)),
        Command::Map(options) => map(&options, |tally| conclude(tally.and_then(print_tally))),
        Command::Inspect(options) => {
            match options.json {
                true => print_json(&inspect(&options)?)?,
                false => print_line(&inspect(&options)?)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Ps(options) => Ok(ps(&options, conclude_unit)),
        Command::Logs(options) => Ok(logs(&options, conclude_unit)),
        Command::Describe(options) => {
            let print: fn(&str) -> Result<()> = if options.json { print_json } else { print_line };
            Ok(describe(&options, |text| conclude_unit(text.and_then(|text| print(&text)))))
        }
        Command::Attach(options) => {
            Ok(attach(&options, |attached| conclude(attached.and_then(print_attached))))
        }
        Command::Report(options) => Ok(report(&options, conclude_unit)),
        Command::Cancel(options) => Ok(cancel(&options, conclude_unit)),
        Command::Completions { shell } => {
            print_line(completions::script(Cli::command(), shell)?.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor(options) => Ok(doctor(&options, conclude)),
        Command::Gc(options) => Ok(gc(&options, |report| conclude(report.and_then(print_report)))),
    }
}

fn describe_created(package: &New) -> String {
    let New { name, workspace, profile, next } = package;
    let membership = match workspace {
        Some(root) => format!(", a member of the workspace {}", root.display()),
        None => String::new(),
    };
    let mut text = format!("{:>12} package `{name}`{membership}\n", "Created");
    if let (Some(root), Some(lines)) = (workspace, profile) {
        let has_heading = lines.starts_with('[');
        let below = if has_heading { "" } else { ", below its [profile.dev.package]" };
        let manifest = root.join("Cargo.toml");
        text.push_str(&format!(
            "{:>12} these lines to {}{below}, without which dev builds compile components \
             slowly:\n\n{lines}\n\n",
            "Add",
            manifest.display()
        ));
    }
    text + &format!("{:>12} {next}", "Next")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_passes_clap_debug_assertions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn leading_hype_argument_is_removed() {
        let with = ["cargo-hype", "hype", "call", "hype"].map(OsString::from);
        let without = ["cargo-hype", "call", "hype"].map(OsString::from);
        assert_eq!(without_hype(with), without);
        assert_eq!(without_hype(without.clone()), without);
    }
}
