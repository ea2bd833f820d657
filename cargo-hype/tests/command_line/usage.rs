//! Help, and what is no command.

use insta::assert_snapshot;

use crate::hype::hype;

#[test]
fn help_tells_the_commands_and_exit_statuses() {
    assert_snapshot!(hype(&["--help"]).seen(), @r#"
    status 0
    --- stdout
    Run your functions somewhere else and get their values back

    Usage: cargo hype <COMMAND>

    Commands:
      new      Make a package with a function, a test of it, and a program that runs it
      build    Compile packages' libraries to components, target/hype/PACKAGE.wasm
      run      Build a program and the components whose functions it calls, then run it
      call     Call a function of a component and print its value as JSON
      inspect  Print what a component is, without running it
      gc       Remove what old runs left in the stage, and the blobs that no run needs any more
      help     Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit status: 0 done; 1 the closure failed; 2 wrong usage or input; 3 the machinery failed.
    "#);
}

#[test]
fn cargo_may_name_us_first() {
    let with = hype(&["hype", "call", "--help"]).seen();
    let without = hype(&["call", "--help"]).seen();
    assert_eq!(with.to_string(), without.to_string());
}

#[test]
fn build_has_help() {
    assert_snapshot!(hype(&["build", "--help"]).seen(), @r#"
    status 0
    --- stdout
    Compile packages' libraries to components, target/hype/PACKAGE.wasm

    Without -p at the root of a workspace, those of all packages that define functions.

    Usage: cargo hype build [OPTIONS]

    Options:
      -p, --package <SPEC>
              The package, in cargo's notation [default: that of this directory]

      -r, --release
              Compile optimized, with the profile `release`

          --profile <NAME>
              Compile with this profile

      -F, --features <FEATURES>
              Features to enable

          --all-features
              Enable all features

          --no-default-features
              Don't enable the feature `default`

          --embed
              Build the package's programs too, with the components inside that they need

          --bin <NAME>
              The program to embed into, if not all of the package's

          --message-format <FORMAT>
              What to print for each component

              Possible values:
              - human: A line for people, on the standard error
              - json:  A line of JSON, on the standard output

              [default: human]

      -h, --help
              Print help (see a summary with '-h')
    "#);
}

#[test]
fn run_has_help() {
    assert_snapshot!(hype(&["run", "--help"]).seen(), @r#"
    status 0
    --- stdout
    Build a program and the components whose functions it calls, then run it

    The exit status is the program's.

    Usage: cargo hype run [OPTIONS] [ARG]...

    Arguments:
      [ARG]...
              What to hand to the program

    Options:
      -p, --package <SPEC>
              The package, in cargo's notation [default: that of this directory]

      -r, --release
              Compile optimized, with the profile `release`

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

          --submitter <NAME>
              Where closures run: local, docker or kubernetes [default: HYPE_SUBMITTER, hype.toml, local]

      -h, --help
              Print help (see a summary with '-h')
    "#);
}

#[test]
fn call_has_help() {
    assert_snapshot!(hype(&["call", "--help"]).seen(), @r#"
    status 0
    --- stdout
    Call a function of a component and print its value as JSON

    Usage: cargo hype call [OPTIONS] <COMPONENT> <FUNCTION> [ARG]...

    Arguments:
      <COMPONENT>  The component, a .wasm file
      <FUNCTION>   The function's name
      [ARG]...     Its arguments: each is JSON, or text for a parameter that is text

    Options:
          --env <NAME=VALUE>            An environment variable for the function
          --mount <HOST:GUEST[:ro]>     A directory for the function; `:ro` for reading only
          --file <HOST:GUEST>           A file of this machine, staged for the function to read
          --dir <HOST:GUEST>            A directory of this machine, staged with all that is in it for the function to read
          --submitter <NAME>            Where closures run: local, docker or kubernetes [default: HYPE_SUBMITTER, hype.toml, local]
          --timeout <DURATION>          How long it may run, e.g. 30s or 5m
          --memory <SIZE>               How much memory it may have, e.g. 512MiB
          --deterministic <SEED>        Make its runs alike: random numbers follow from this number, and time is its own
          --allow-http <HOSTS>          Hosts that it may send HTTP requests to, e.g. api.example.com or https://*.example.com
          --allow-http-private <HOSTS>  The same for hosts of private networks
          --allow-command <NAME>        Commands that it may run, e.g. curl; they have all the rights of whoever runs the function
      -h, --help                        Print help

    The types of the parameters decide what an argument is. What is printed can be an argument again.
      String, IpAddr, dates  the text as it is, even 123 and null; or a JSON string: '"two\nlines"'
      enum                   the name of a variant, or {"Variant": content}
      Option                 null, or what is in it; Some(None) is {"$some": null}
      bytes                  a list of numbers
      map                    {"5": 1}; with keys that are no text, number or boolean [[key, value], ..]
      f64                    a number, "NaN", "inf" or "-inf"

    Example: cargo hype call target/hype/hello.wasm example hello
    "#);
}

#[test]
fn new_and_inspect_have_help() {
    assert_snapshot!(hype(&["new", "--help"]).seen(), @r#"
    status 0
    --- stdout
    Make a package with a function, a test of it, and a program that runs it

    Usage: cargo hype new [OPTIONS] <NAME>

    Arguments:
      <NAME>  The package, and the directory to make for it

    Options:
          --hype-path <DIR>  A clone of hype to depend on [default: the one around here, else hype's repository]
      -h, --help             Print help

    Example: cargo hype new greeting && cd greeting && cargo hype run
    "#);
    assert_snapshot!(hype(&["inspect", "--help"]).seen(), @r#"
    status 0
    --- stdout
    Print what a component is, without running it

    Usage: cargo hype inspect [OPTIONS] <COMPONENT>

    Arguments:
      <COMPONENT>  The component, a .wasm file

    Options:
          --json  Print one JSON object instead
      -h, --help  Print help

    Example: cargo hype inspect target/hype/hello.wasm
    "#);
}

#[test]
fn without_a_command_there_is_help() {
    let seen = hype(&[]).seen();
    let help = hype(&["--help"]).seen();
    assert_eq!((seen.status, seen.stderr), (2, help.stdout));
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    assert_snapshot!(hype(&["biuld"]).seen(), @r#"
    status 2
    --- stderr
    error: unrecognized subcommand 'biuld'

      tip: a similar subcommand exists: 'build'

    Usage: cargo hype <COMMAND>

    For more information, try '--help'.
    "#);
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    assert_snapshot!(hype(&["build", "--relase"]).seen(), @r#"
    status 2
    --- stderr
    error: unexpected argument '--relase' found

      tip: a similar argument exists: '--release'

    Usage: cargo hype build --release

    For more information, try '--help'.
    "#);
    assert_snapshot!(hype(&["run", "--relase"]).seen(), @r#"
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
fn options_that_exclude_each_other_are_wrong_usage() {
    assert_snapshot!(hype(&["build", "--release", "--profile", "bench"]).seen(), @r#"
    status 2
    --- stderr
    error: the argument '--release' cannot be used with '--profile <NAME>'

    Usage: cargo hype build --release

    For more information, try '--help'.
    "#);
}
