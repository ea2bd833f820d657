//! Commands of a process that runs one closure, as in a container: among its own, without namespaces.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use conformance::cases::commands::script;
use conformance::left::{Mark, RABBITS};
use hype_stage::Stage;
use hype_wire::{
    Access, Artefact, Blob, CommandName, End, Failure, FailureKind, Mount, Payload, RunManifest,
    codec, names,
};
use serde::Serialize;
use test_guests::process::{Done, Order};

use super::cache::{here, machine_code};
use super::{Prepared, program, stderr, wait};

/// A user without rights, as in a container.
const NOBODY: u32 = 65532;

/// A run of `function`, of the module of commands, that may start the shell, with machine code.
fn prepared(
    function: &str,
    argument: &impl Serialize,
    change: impl FnOnce(&mut RunManifest),
) -> Prepared {
    let code = machine_code();
    let blob = Blob::of(&code);
    let prepared = Prepared::new(function, &[], |manifest| {
        let mut arguments = codec::array_head(1);
        codec::append(&mut arguments, argument).unwrap();
        manifest.call.arguments = Payload::Inline(arguments.into());
        manifest.job.artefact = Some(Artefact { platform: here().name().to_owned(), blob });
        manifest.job.powers.commands = vec![CommandName::try_from("sh".to_owned()).unwrap()];
        change(manifest);
    });
    let stage = Stage::in_directory(prepared.directory.path()).unwrap();
    wait(stage.put(&names::blob(&blob.digest), code)).unwrap();
    prepared
}

/// The command that runs it.
fn command(prepared: &Prepared) -> Command {
    let mut command = Command::new(program());
    command.args([&prepared.url(), "--digest", &prepared.digest.to_string()]);
    command.env_clear().envs([PATH]);
    command
}

/// What the command says that must end well.
fn ended(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn done(prepared: &Prepared) -> Done {
    match prepared.outcome("runs/run-1/outcome").end {
        End::Value(Payload::Inline(bytes)) => codec::from_slice(&bytes).unwrap(),
        end => panic!("no value: {end:?}"),
    }
}

fn failed(prepared: &Prepared) -> Failure {
    match prepared.outcome("runs/run-1/outcome").end {
        End::Failure(failure) => failure,
        End::Value(_) => panic!("a value"),
    }
}

const PATH: (&str, &str) = ("PATH", "/usr/bin:/bin");

/// The same of a user without rights, where this one can make it so.
fn unprivileged(prepared: &Prepared) -> Command {
    let mut command = command(prepared);
    if rustix::process::geteuid().is_root() {
        for path in ["", "runs", "runs/run-1"] {
            let path = prepared.directory.path().join(path);
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[test]
fn credentials_are_out_of_a_commands_reach() {
    let text = "env; for p in 1 $PPID; do \
                for f in environ mem maps fd; do cat /proc/$p/$f; done; ls /proc/$p/fd/; done; :";
    let prepared = prepared("perform", &script(text), |_| {});
    let mut command = unprivileged(&prepared);
    ended(command.env("AWS_SECRET_ACCESS_KEY", "hush").env("GREETING", "hello"));
    let Done { out, err, .. } = done(&prepared);
    assert!(out.contains("GREETING=hello"), "{out}");
    assert!(!out.contains("hush") && !err.contains("hush"), "{out}{err}");
    // It tried, and all was refused, of the first process and of this one's.
    assert_eq!(err.matches("environ: Permission denied").count(), 2, "{err}");
    assert_eq!(err.matches("mem: Permission denied").count(), 2, "{err}");
    assert_eq!(err.matches("fd/': Permission denied").count(), 2, "{err}");
}

/// Also those that whoever started `hype-run` left open for it.
#[test]
fn a_command_has_no_descriptors_of_ours() {
    let prepared = prepared("perform", &script("ls /proc/$$/fd"), |_| {});
    let digest = prepared.digest.to_string();
    let open = "exec 7</etc/passwd; exec \"$@\"";
    let mut shell = Command::new("sh");
    ended(shell.args(["-c", open, "sh"]).arg(program()).args([
        &prepared.url(),
        "--digest",
        &digest,
    ]));
    assert_eq!(done(&prepared).out, "0\n1\n2\n");
}

#[test]
fn a_directory_is_translated_and_path_is_ours() {
    let order = Order { directory: Some("/tmp".into()), ..script("pwd; echo $PATH") };
    let prepared = prepared("perform", &order, |manifest| {
        manifest.job.env.insert("PATH".into(), "/guest".into());
    });
    ended(&mut command(&prepared));
    let out = done(&prepared).out;
    assert!(out.starts_with("/tmp/hype-run-") && out.ends_with("/tmp\n/usr/bin:/bin\n"), "{out}");
}

#[test]
fn a_mount_elsewhere_is_no_mount_of_a_commands() {
    let directory = tempfile::tempdir().unwrap();
    let prepared = prepared("perform", &script("cat /data/x"), |manifest| {
        manifest.job.mounts.push(Mount {
            source: directory.path().to_str().unwrap().into(),
            path: "/data".into(),
            access: Access::ReadOnly,
        });
    });
    ended(&mut command(&prepared));
    let failure = failed(&prepared);
    assert_eq!(failure.kind, FailureKind::Incompatible);
    assert!(failure.message.contains("the mount at /data, which is "), "{failure:?}");
}

/// What tries to outlive its closure.
const OUTLIVING: &[&str] = &[
    "sleep 1000 & echo; wait",
    "setsid sleep 1000 & echo; wait",
    "(setsid sh -c 'trap : TERM HUP; sleep 1000 & sleep 1000; :' &) & echo; sleep 1000",
    "b() { if [ $1 -gt 0 ]; then b $(($1-1)) & b $(($1-1)) & fi; sleep 1000; }; b 6 & echo; wait",
    RABBITS,
];

/// What `command` says, and how many processes with `mark` it leaves: run by the first process of a namespace, as
/// if this machine had no others.
fn left_alone(command: &Command, mark: &Mark) -> (String, String) {
    let script = "\"$@\" || exit; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c $0";
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    alone.args(["sh", "-c", &format!("{script}; :"), mark.text()]);
    alone.arg(command.get_program()).args(command.get_args()).env_clear().envs([PATH]);
    let said = ended(&mut alone);
    let mut lines: Vec<_> = said.lines().collect();
    let left = lines.pop().unwrap().to_owned();
    (lines.join("\n"), left)
}

#[test]
fn nothing_is_left_at_the_deadline() {
    let mark = Mark::new();
    for text in OUTLIVING {
        let prepared = prepared("start_and_wait", &mark.script(text), |manifest| {
            manifest.job.limits.timeout_ms = Some(4_000);
        });
        let left = left_alone(&command(&prepared), &mark);
        assert_eq!(failed(&prepared).kind, FailureKind::Deadline);
        assert_eq!(left, ("started".to_owned(), "0".to_owned()), "{text}");
    }
}

#[test]
fn nothing_is_left_of_a_closure_that_returned() {
    let mark = Mark::new();
    let orders: Vec<Order> = OUTLIVING.iter().map(|text| mark.script(text)).collect();
    let prepared = prepared("leave", &orders, |_| {});
    let left = left_alone(&command(&prepared), &mark);
    assert!(matches!(prepared.outcome("runs/run-1/outcome").end, End::Value(_)));
    assert_eq!(left.1, "0");
}

#[test]
fn nothing_is_left_when_the_runner_is_told_to_stop() {
    let mark = Mark::new();
    for text in &OUTLIVING[..4] {
        let prepared = prepared("start_and_wait", &mark.script(text), |_| {});
        let mut running = command(&prepared).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        assert!(!mark.left().is_empty());
        let pid = running.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(running.wait().unwrap().success());
        assert_eq!(mark.left(), [""; 0], "{text}");
    }
}

/// What commands leave behind is waited for while the closure goes on.
#[test]
fn orphans_leave_no_trace() {
    let text = "i=0; while [ $i -lt 50 ]; do (sh -c : &) ; i=$((i+1)); done; \
                while cat /proc/[0-9]*/stat | grep -q \" Z $PPID \"; do :; done; echo none";
    let prepared = prepared("perform", &script(text), |manifest| {
        manifest.job.limits.timeout_ms = Some(60_000);
    });
    ended(&mut command(&prepared));
    assert_eq!(done(&prepared).out, "none\n");
}
