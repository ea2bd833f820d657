//! Help texts and usage errors.

use insta::assert_snapshot;

use crate::hype::{hype, workspace};

/// All commands.
const COMMANDS: [&str; 16] = [
    "new",
    "build",
    "run",
    "call",
    "exec",
    "map",
    "inspect",
    "ps",
    "logs",
    "describe",
    "attach",
    "report",
    "cancel",
    "gc",
    "doctor",
    "completions",
];

#[test]
fn help_lists_commands_and_exit_statuses() {
    assert_snapshot!(hype(&["--help"]).redacted(), @r#"
    status 0
    --- stdout
    Run your functions somewhere else and get their values back

    Usage: cargo hype [OPTIONS] <COMMAND>

    Commands:
      new          Create a package with a function, a test of it, and a program that runs it
      build        Compile the libraries of packages to components, target/hype/PACKAGE.wasm
      run          Build a program and the components whose functions it calls, then run it
      call         Call a function of a component and print its value as JSON
      exec         Run a whole program, which is any WASI command in WebAssembly
      map          Call a function for each line of a file, or for each row of a CSV file
      inspect      Print the functions, imports and exports of a component, without running it
      ps           List runs, whichever program started them
      logs         Print what a run wrote to its standard output and error
      describe     Print everything that is known of a run
      attach       Wait for a run that another program started, or read the results of a staged map
      report       Print the report of a staged map, or write it as a page
      cancel       Stop runs, and remove everything that they created
      gc           Delete old runs from the stage, the blobs that no run needs any more, and expired
                   containers
      doctor       Check the toolchain, the stage and the runner, and print how to fix what is missing
      completions  Print a script that completes `cargo hype` in a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>  Colour output: auto, always or never [default: auto]
      -h, --help          Print help
      -V, --version       Print version

    Examples:
      cargo hype new greeting && cd greeting && cargo hype run
      cargo hype doctor

    Exit status: 0 success; 1 the closure failed; 2 wrong usage or input; 3 hype, the stage or the
    runner failed.
    cargo hype exec has its own, see cargo hype exec --help.
    "#);
}

#[test]
fn leading_hype_argument_is_ignored() {
    let with = hype(&["hype", "call", "--help"]).redacted();
    let without = hype(&["call", "--help"]).redacted();
    assert_eq!(with.to_string(), without.to_string());
}

#[test]
fn build_has_help() {
    assert_snapshot!(hype(&["build", "--help"]).redacted(), @r#"
    status 0
    --- stdout
    Compile the libraries of packages to components, target/hype/PACKAGE.wasm

    A package in another language states the command that builds its component, in its Cargo.toml. At
    the root of a workspace, without -p, compiles all packages that define functions.

    Usage: cargo hype build [OPTIONS]

    Options:
      -p, --package <SPEC>
              The package, as a cargo package spec [default: the package of this directory]

      -r, --release
              Compile with the profile `release`

          --profile <NAME>
              Compile with this profile

      -F, --features <FEATURES>
              Features to enable

          --all-features
              Enable all features

          --no-default-features
              Don't enable the feature `default`

          --embed
              Also build the package's programs, with the components that they need embedded

          --bin <NAME>
              The program to build [default: all programs of the package]

          --message-format <FORMAT>
              The format of the line printed for each component

              Possible values:
              - human: A readable line, on standard error
              - json:  A line of JSON, on standard output

              [default: human]

          --color <WHEN>
              Colour output: auto, always or never

              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      cargo hype build
      cargo hype build -p wordcount --release
      cargo hype build --embed --bin wordcount
    "#);
}

#[test]
fn run_has_help() {
    assert_snapshot!(hype(&["run", "--help"]).redacted(), @r#"
    status 0
    --- stdout
    Build a program and the components whose functions it calls, then run it

    Exits with the exit status of the program.

    Usage: cargo hype run [OPTIONS] [ARG]...

    Arguments:
      [ARG]...
              The arguments of the program

    Options:
      -p, --package <SPEC>
              The package, as a cargo package spec [default: the package of this directory]

      -r, --release
              Compile with the profile `release`

          --profile <NAME>
              Compile with this profile

      -F, --features <FEATURES>
              Features to enable

          --all-features
              Enable all features

          --no-default-features
              Don't enable the feature `default`

          --bin <NAME>
              The program to run, if the package has several

          --color <WHEN>
              Colour output: auto, always or never

              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

    Submitter:
          --submitter <NAME>
              The submitter: local, docker or kubernetes [default: HYPE_SUBMITTER, hype.toml, local]

          --staging <URL>
              The stage, e.g. gs://bucket/prefix [default: HYPE_STAGING, hype.toml, the user's cache]

          --image <NAME>
              The image of containers [default: HYPE_IMAGE, hype.toml, spotify/hype of this version]

          --context <NAME>
              The context of the kubeconfig [default: HYPE_CONTEXT, hype.toml, the current one]

          --namespace <NAME>
              The namespace of Pods [default: HYPE_NAMESPACE, hype.toml, that of the context]

          --service-account <NAME>
              The service account of Pods [default: HYPE_SERVICE_ACCOUNT, hype.toml, the namespace's]

          --stage-secret <NAME>
              The secret with the bucket's key [default: HYPE_STAGE_SECRET, hype.toml, none]

          --hype-profile <NAME>
              The profile of hype.toml [default: HYPE_PROFILE, none]

    Examples:
      cargo hype run
      cargo hype run -p wordcount -- LICENSE
      cargo hype run --submitter docker
    "#);
}

#[test]
fn call_has_help() {
    assert_snapshot!(hype(&["call", "--help"]).redacted(), @r#"
    status 0
    --- stdout
    Call a function of a component and print its value as JSON

    Usage: cargo hype call [OPTIONS] <COMPONENT> <FUNCTION> [ARG]...

    Arguments:
      <COMPONENT>  The component, a .wasm file
      <FUNCTION>   The function's name: example, or acme:text/stats.top for a function of an interface
      [ARG]...     The arguments, each as JSON, or as plain text for a string parameter

    Options:
          --env <NAME=VALUE>              Set an environment variable
          --mount <HOST:GUEST[:ro]>       Mount a directory of this machine; `:ro` makes it read-only
          --file <HOST:GUEST>             Stage a file of this machine for the run to read
          --dir <HOST:GUEST>              Stage a directory of this machine, with its contents, for the
                                          run to read
          --timeout <DURATION>            The maximum run time, e.g. 30s or 5m
          --memory <SIZE>                 The maximum memory, e.g. 512MiB
          --deterministic <SEED>          Make runs reproducible: seed random numbers with SEED, and
                                          simulate the clock
          --allow-http <HOSTS>            Allow HTTP requests to these hosts, e.g. api.example.com or
                                          https://*.example.com
          --allow-http-private <HOSTS>    Allow HTTP requests to these hosts of private networks
          --allow-command <NAME>          Allow running this command, e.g. df; it has no network
          --allow-network-command <NAME>  Allow running this command with the network of the runner,
                                          e.g. curl
          --color <WHEN>                  Colour output: auto, always or never [default: auto]
      -h, --help                          Print help

    Submitter:
          --submitter <NAME>        The submitter: local, docker or kubernetes [default: HYPE_SUBMITTER,
                                    hype.toml, local]
          --staging <URL>           The stage, e.g. gs://bucket/prefix [default: HYPE_STAGING,
                                    hype.toml, the user's cache]
          --image <NAME>            The image of containers [default: HYPE_IMAGE, hype.toml,
                                    spotify/hype of this version]
          --context <NAME>          The context of the kubeconfig [default: HYPE_CONTEXT, hype.toml, the
                                    current one]
          --namespace <NAME>        The namespace of Pods [default: HYPE_NAMESPACE, hype.toml, that of
                                    the context]
          --service-account <NAME>  The service account of Pods [default: HYPE_SERVICE_ACCOUNT,
                                    hype.toml, the namespace's]
          --stage-secret <NAME>     The secret with the bucket's key [default: HYPE_STAGE_SECRET,
                                    hype.toml, none]
          --hype-profile <NAME>     The profile of hype.toml [default: HYPE_PROFILE, none] [alias:
                                    --profile]

    The type of a parameter decides how its argument is read. A printed value can be passed as an
    argument.
      String, IpAddr, dates  the text itself, even 123 and null; or '"two\nlines"'
      enum                   the name of a variant, or {"Variant": content}
      Option                 null, or the value; Some(None) is {"$some": null}
      bytes                  a list of numbers
      map                    {"5": 1}; or [[key, value], ..] for compound keys
      f64                    a number, "NaN", "inf" or "-inf"

    Example: cargo hype call target/hype/hello.wasm example hello
    "#);
}

#[test]
fn new_and_inspect_have_help() {
    assert_snapshot!(hype(&["new", "--help"]).redacted(), @r#"
    status 0
    --- stdout
    Create a package with a function, a test of it, and a program that runs it

    Usage: cargo hype new [OPTIONS] <NAME>

    Arguments:
      <NAME>  The name of the package, or the path of its new directory

    Options:
          --hype-path <DIR>  A clone of hype to depend on [default: the clone around this directory,
                             else hype's repository]
          --color <WHEN>     Colour output: auto, always or never [default: auto]
      -h, --help             Print help

    Example: cargo hype new greeting && cd greeting && cargo hype run
    "#);
    assert_snapshot!(hype(&["inspect", "--help"]).redacted(), @r#"
    status 0
    --- stdout
    Print the functions, imports and exports of a component, without running it

    Usage: cargo hype inspect [OPTIONS] <COMPONENT>

    Arguments:
      <COMPONENT>  The component, a .wasm file

    Options:
          --json          Print one JSON object instead
          --color <WHEN>  Colour output: auto, always or never [default: auto]
      -h, --help          Print help

    Example: cargo hype inspect target/hype/hello.wasm
    "#);
}

#[test]
fn missing_command_prints_help() {
    let output = hype(&[]).redacted();
    let help = hype(&["--help"]).redacted();
    assert_eq!((output.status, output.stderr), (2, help.stdout));
}

#[test]
fn unknown_command_is_a_usage_error() {
    assert_snapshot!(hype(&["biuld"]).redacted(), @r#"
    status 2
    --- stderr
    error: unrecognized subcommand 'biuld'

      tip: a similar subcommand exists: 'build'

    Usage: cargo hype [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
}

#[test]
fn unknown_option_is_a_usage_error() {
    assert_snapshot!(hype(&["build", "--relase"]).redacted(), @r#"
    status 2
    --- stderr
    error: unexpected argument '--relase' found

      tip: a similar argument exists: '--release'

    Usage: cargo hype build --release

    For more information, try '--help'.
    "#);
    assert_snapshot!(hype(&["run", "--relase"]).redacted(), @r#"
    status 2
    --- stderr
    error: unexpected argument '--relase' found

      tip: a similar argument exists: '--release'
      tip: to pass '--relase' as a value, use '-- --relase'

    Usage: cargo hype run --release [ARG]...

    For more information, try '--help'.
    "#);
}

#[test]
fn conflicting_options_are_a_usage_error() {
    assert_snapshot!(hype(&["build", "--release", "--profile", "bench"]).redacted(), @r#"
    status 2
    --- stderr
    error: the argument '--release' cannot be used with '--profile <NAME>'

    Usage: cargo hype build --release

    For more information, try '--help'.
    "#);
}

/// Returns the help in this number of columns. clap breaks lines at 100 columns where the output is no terminal.
fn help_in(command: &str, columns: &str) -> String {
    hype(&[command, "--help"]).with_env("COLUMNS", columns).redacted().stdout
}

#[test]
fn help_in_80_columns_breaks_lines_only_where_they_end() {
    for command in COMMANDS {
        let help = help_in(command, "80");
        let lines: Vec<_> = help.lines().collect();
        for (line, next) in lines.iter().zip(&lines[1..]) {
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let word = next.split(' ').next().unwrap_or_default();
            let fits = line.len() + 1 + word.len() <= 80 && !line.ends_with(':');
            assert!(!(is_prose(line) && is_prose(next) && fits), "{command}: {line}\n{next}");
            assert!(line.len() <= 80, "{command}: {line}");
        }
        // The lines of tables and examples.
        let wide = help_in(command, "300");
        let (_, wide) = wide.split_once("Print help").unwrap();
        let is_row = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        for row in wide.lines().filter(is_row) {
            assert!(lines.contains(&row), "{command}: {row}");
        }
    }
}

#[test]
fn help_of_map_describes_tables() {
    let help = help_in("map", "80").split_whitespace().collect::<Vec<_>>().join(" ");
    for text in ["each row of a CSV file", "the input ends in .csv", "the output ends in .csv"] {
        assert!(help.contains(text), "{text}: {help}");
    }
}

#[test]
fn help_of_each_command_has_an_example() {
    for command in COMMANDS {
        let help = hype(&[command, "--help"]).redacted().stdout;
        let example = format!("cargo hype {command}");
        assert!(help.split("Example").nth(1).is_some_and(|text| text.contains(&example)), "{help}");
    }
}

/// `cargo hype run` passes `--profile` to cargo.
#[test]
fn commands_that_choose_a_submitter_accept_profile() {
    let mut count = 0;
    for command in COMMANDS {
        let help = hype(&[command, "--help"]).redacted().stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        if command != "run" && help.contains("--hype-profile") {
            assert!(help.contains("[alias: --profile]"), "{command}: {help}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn commands_that_choose_a_submitter_have_an_option_for_each_key() {
    let page = std::fs::read_to_string(workspace().join("docs/configuration.md")).unwrap();
    let rows = page.lines().filter(|line| line.contains("` | `HYPE_"));
    let cells = rows.filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let keys: Vec<_> = cells.collect();
    assert!(keys.contains(&"submitter") && keys.contains(&"stage-secret"), "{keys:?}");
    for command in COMMANDS {
        let help = hype(&[command, "--help"]).redacted().stdout;
        let chooses = help.contains("--hype-profile");
        for key in &keys {
            assert_eq!(help.contains(&format!("--{key} <")), chooses, "{command} --{key}");
        }
    }
}

#[test]
fn color_of_errors_is_chosen_by_option() {
    for arguments in [
        &["new", "/"][..],
        &["build", "-p", "none"],
        &["run", "-p", "none"],
        &["call", "none.wasm", "f"],
        &["inspect", "none.wasm"],
        &["ps", "--staging", "ftp://none"],
        &["logs", "none"],
        &["describe", "none"],
        &["attach", "none"],
        &["cancel", "none"],
        &["gc", "--staging", "ftp://none"],
    ] {
        for (options, start) in [
            (&[][..], "error: "),
            (&["--color", "always"], "\x1b[1;31merror:\x1b[0m "),
            (&["--color", "never"], "error: "),
        ] {
            let output = hype(&[arguments, options].concat()).with_env("NO_COLOR", "1").output();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.starts_with(start), "{arguments:?} {options:?}: {errors}");
        }
    }
}

#[test]
fn usage_error_of_exec_after_global_option_has_status_of_exec() {
    for options in [&[][..], &["--color", "never"], &["--color=never"]] {
        let output = hype(&[options, &["exec", "--bad"]].concat()).output();
        assert_eq!(output.status.code(), Some(125), "{options:?}");
    }
}
