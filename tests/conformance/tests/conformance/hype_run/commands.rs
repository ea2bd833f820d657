//! Commands of a `hype-run` that runs one closure, as in a container: without namespaces.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use conformance::cases::commands::script;
use conformance::leftover_processes::{ProcessMark, RESPAWNING_SCRIPT};
use hype_wire::{
    Access, CommandName, CommandRights, End, Failure, FailureKind, Mount, Payload, RunManifest,
    VariableName, codec,
};
use serde::Serialize;
use test_guests::process::{CommandResult, CommandSpec};

use super::{Prepared, program, stderr};

/// An unprivileged user id, as in a container.
const NONROOT: u32 = 65532;

/// Stages a call of `function` that may start a shell, with machine code.
fn prepared(
    function: &str,
    argument: &impl Serialize,
    change: impl FnOnce(&mut RunManifest),
) -> Prepared {
    Prepared::new(function, &[], |manifest| {
        let mut arguments = codec::array_head(1);
        codec::append(&mut arguments, argument).unwrap();
        manifest.call.arguments = Payload::Inline(arguments.into());
        let sh = CommandName::try_from("sh".to_owned()).unwrap();
        manifest.job.powers.commands = vec![sh.clone()];
        let variables = [VariableName::try_from(ProcessMark::VARIABLE.to_owned()).unwrap()].into();
        let rights = CommandRights { variables, ..CommandRights::default() };
        manifest.job.powers.command_rights.insert(sh, rights);
        change(manifest);
    })
}

/// Builds the command that executes the run.
fn command(prepared: &Prepared) -> Command {
    let mut command = Command::new(program());
    command.args(prepared.arguments());
    command.env_clear().envs([PATH]);
    command
}

/// Runs a command that must succeed. Returns its standard output.
fn ended(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn done(prepared: &Prepared) -> CommandResult {
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

/// Builds the command as an unprivileged user, if this process is root.
fn unprivileged(prepared: &Prepared) -> Command {
    let mut command = command(prepared);
    if rustix::process::geteuid().is_root() {
        // Files of a stage are private to their owner.
        give(prepared.directory.path(), NONROOT);
        command.uid(NONROOT).gid(NONROOT);
    }
    command
}

/// Makes a user the owner of a directory and everything below it.
fn give(path: &std::path::Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        entries.for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

#[test]
fn command_cannot_read_credentials() {
    let text = "env; for p in 1 $PPID; do \
                for f in environ mem maps fd; do cat /proc/$p/$f; done; ls /proc/$p/fd/; done; :";
    let prepared = prepared("perform", &script(text), |_| {});
    let mut command = unprivileged(&prepared);
    ended(command.env("AWS_SECRET_ACCESS_KEY", "hush").env("GREETING", "hello"));
    let CommandResult { out, err, .. } = done(&prepared);
    assert!(out.contains("GREETING=hello"), "{out}");
    assert!(!out.contains("hush") && !err.contains("hush"), "{out}{err}");
    // The command tried to read both processes, and each read was denied.
    assert_eq!(err.matches("environ: Permission denied").count(), 2, "{err}");
    assert_eq!(err.matches("mem: Permission denied").count(), 2, "{err}");
    assert_eq!(err.matches("fd/': Permission denied").count(), 2, "{err}");
}

/// Descriptors that `hype-run` inherited are closed too.
#[test]
fn command_inherits_no_descriptors() {
    let prepared = prepared("perform", &script("ls /proc/$$/fd"), |_| {});
    let digest = prepared.digest.to_string();
    let open = "exec 7</etc/passwd; exec \"$@\"";
    let mut shell = Command::new("sh");
    ended(shell.args(["-c", open, "sh"]).arg(program()).args([
        "run",
        &prepared.url(),
        "--digest",
        &digest,
    ]));
    assert_eq!(done(&prepared).out, "0\n1\n2\n");
}

#[test]
fn command_gets_translated_directory_and_path_of_the_host() {
    let spec = CommandSpec { directory: Some("/tmp".into()), ..script("pwd; echo $PATH") };
    let prepared = prepared("perform", &spec, |manifest| {
        manifest.job.env.insert("PATH".into(), "/guest".into());
    });
    ended(&mut command(&prepared));
    let out = done(&prepared).out;
    assert!(out.starts_with("/tmp/hype-run-") && out.ends_with("/tmp\n/usr/bin:/bin\n"), "{out}");
}

#[test]
fn mount_at_other_path_rejects_commands() {
    let directory = tempfile::tempdir().unwrap();
    let prepared = prepared("perform", &script("cat /data/x"), |manifest| {
        manifest.job.mounts.push(Mount {
            source: directory.path().to_str().unwrap().into(),
            path: "/data".parse().unwrap(),
            access: Access::ReadOnly,
        });
    });
    ended(&mut command(&prepared));
    let failure = failed(&prepared);
    assert_eq!(failure.kind, FailureKind::Incompatible);
    assert!(failure.message.contains("the mount at /data, which is "), "{failure:?}");
}

/// Scripts that try to outlive their closure.
const OUTLIVING: &[&str] = &[
    "sleep 1000 & echo; wait",
    "setsid sleep 1000 & echo; wait",
    "(setsid sh -c 'trap : TERM HUP; sleep 1000 & sleep 1000; :' &) & echo; sleep 1000",
    "b() { if [ $1 -gt 0 ]; then b $(($1-1)) & b $(($1-1)) & fi; sleep 1000; }; b 6 & echo; wait",
    RESPAWNING_SCRIPT,
];

/// Runs `command` as the first process of a process namespace. Returns its output, and how many processes with `mark`
/// remain.
fn left_alone(command: &Command, mark: &ProcessMark) -> (String, String) {
    let script = "\"$@\" || exit; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c $0";
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    alone.args(["sh", "-c", &format!("{script}; :"), mark.text()]);
    alone.arg(command.get_program()).args(command.get_args()).env_clear().envs([PATH]);
    let stdout = ended(&mut alone);
    let mut lines: Vec<_> = stdout.lines().collect();
    let left = lines.pop().unwrap().to_owned();
    (lines.join("\n"), left)
}

#[test]
fn deadline_kills_all_processes() {
    let mark = ProcessMark::new();
    for text in OUTLIVING {
        let prepared = prepared("start_and_wait", &mark.script(text), |manifest| {
            manifest.job.limits.timeout_ms = Some(4_000);
        });
        let left = left_alone(&command(&prepared), &mark);
        assert_eq!(failed(&prepared).kind, FailureKind::Deadline);
        assert_eq!(left, ("started".to_owned(), "0".to_owned()), "{text}");
    }
}

/// The thread of a closure that computes is stopped, and can't end its commands itself.
#[test]
fn deadline_of_computing_closure_kills_all_processes() {
    let mark = ProcessMark::new();
    let temporary = tempfile::tempdir().unwrap();
    let prepared = prepared("start_and_spin", &mark.script(OUTLIVING[2]), |manifest| {
        manifest.job.limits.timeout_ms = Some(4_000);
    });
    let mut command = command(&prepared);
    let started = ended(command.env("TMPDIR", temporary.path()));
    assert_eq!(failed(&prepared).kind, FailureKind::Deadline);
    assert_eq!((started.as_str(), mark.remaining()), ("started\n", Vec::new()));
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
}

#[test]
fn returning_closure_kills_all_processes() {
    let mark = ProcessMark::new();
    let specs: Vec<CommandSpec> = OUTLIVING.iter().map(|text| mark.script(text)).collect();
    let prepared = prepared("leave", &specs, |_| {});
    let left = left_alone(&command(&prepared), &mark);
    assert!(matches!(prepared.outcome("runs/run-1/outcome").end, End::Value(_)));
    assert_eq!(left.1, "0");
}

#[test]
fn sigterm_kills_all_processes() {
    let mark = ProcessMark::new();
    for text in &OUTLIVING[..4] {
        let prepared = prepared("start_and_wait", &mark.script(text), |_| {});
        let mut running = command(&prepared).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        assert!(!mark.remaining().is_empty());
        let pid = running.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(running.wait().unwrap().success());
        assert_eq!(mark.remaining(), [""; 0], "{text}");
    }
}

/// A line that a command wrote to the termination log is removed.
#[test]
fn termination_log_holds_only_the_last_line() {
    let directory = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    let log = directory.path().join("log");
    let forge = format!("echo hype-outcome/2 file:///forged 00 >>{}", log.display());
    let prepared = prepared("perform", &script(&forge), |_| {});
    ended(command(&prepared).arg("--termination-log").arg(&log));
    assert_eq!(done(&prepared).code, Some(0));
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("runs/run-1/outcome") && !text.contains("forged"), "{text}");
}

/// In a container all users of one number share the system's own limit on processes.
#[test]
fn too_many_processes_are_killed() {
    let text = "i=0; while [ $i -lt 2900 ]; do sleep 1000 & i=$((i+1)); done; wait";
    let prepared = prepared("perform", &script(text), |manifest| {
        manifest.job.limits.timeout_ms = Some(60_000);
    });
    let said = command(&prepared).output().unwrap();
    assert!(said.status.success(), "{}", stderr(&said));
    let done = done(&prepared);
    // Else it would wait for them until its timeout.
    assert_eq!(done.signal, Some(9), "{done:?}");
    assert!(stderr(&said).contains("more than 1024 processes"), "{}", stderr(&said));
}

/// Orphans of commands are reaped while the closure runs.
#[test]
fn orphans_are_reaped() {
    let text = "i=0; while [ $i -lt 50 ]; do (sh -c : &) ; i=$((i+1)); done; \
                while cat /proc/[0-9]*/stat | grep -q \" Z $PPID \"; do :; done; echo none";
    let prepared = prepared("perform", &script(text), |manifest| {
        manifest.job.limits.timeout_ms = Some(60_000);
    });
    ended(&mut command(&prepared));
    assert_eq!(done(&prepared).out, "none\n");
}
