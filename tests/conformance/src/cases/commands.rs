//! Commands that the environment grants. In containers they need an image with a shell and the usual programs, named by
//! `HYPE_TEST_COMMANDS_IMAGE`.

use std::time::Duration;

use hype::{CommandGrant, FailureKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::process::{
    CommandResult, CommandSpec, count_output, feed, kill, leave, perform, perform_aloud,
    start_and_wait, start_many, time_commands,
};

use crate::failure;
use crate::leftover_processes::{ProcessMark, outliving_commands};

/// Returns an environment that grants these commands, with an image that has them.
pub fn granting(names: &[&str]) -> RunEnvironment {
    let env = RunEnvironment::new();
    let env = names.iter().fold(env, |env, name| {
        env.allow_command(CommandGrant::new(*name).with_variable(ProcessMark::VARIABLE))
    });
    match std::env::var("HYPE_TEST_COMMANDS_IMAGE") {
        Ok(image) => env.with_image(image),
        Err(_) => env,
    }
}

/// Builds a command from a program and its arguments.
pub fn command(words: &[&str]) -> CommandSpec {
    let (program, arguments) = words.split_first().unwrap();
    let arguments = arguments.iter().map(ToString::to_string).collect();
    CommandSpec { program: program.to_string(), arguments, ..CommandSpec::default() }
}

/// Builds a command that runs a shell script.
pub fn script(text: &str) -> CommandSpec {
    command(&["sh", "-c", text])
}

/// Returns the standard output of a command, which must succeed and write no errors.
pub async fn output_of(submitter: &Submitter, spec: CommandSpec, env: &RunEnvironment) -> String {
    let done = submitter.submit(perform(spec), env).await.unwrap();
    assert_eq!((done.code, &*done.err), (Some(0), ""), "{done:?}");
    done.out
}

/// Returns the error message of a command that can't be started, as the closure receives it.
async fn start_error(submitter: &Submitter, spec: CommandSpec, env: &RunEnvironment) -> String {
    let result = submitter.submit(perform(spec), env).await;
    failure(result, FailureKind::Function).1.message
}

pub async fn denied_command_ends_the_closure(submitter: &Submitter) {
    let other = RunEnvironment::new().allow_command("uname2");
    for env in [RunEnvironment::new(), other] {
        let result = submitter.submit(perform(command(&["uname"])), &env).await;
        let (_, failure) = failure(result, FailureKind::Power);
        assert_eq!(
            failure.message,
            "`perform` started `uname`, which its environment doesn't grant: \
             RunEnvironment::allow_command(\"uname\") would"
        );
    }
    let env = RunEnvironment::new().allow_command("uname");
    for path in ["/bin/uname", "../bin/uname", "./uname"] {
        let result = submitter.submit(perform(command(&[path])), &env).await;
        let (_, failure) = failure(result, FailureKind::Power);
        assert!(failure.message.ends_with("commands are started by their names"), "{failure:?}");
    }
}

pub async fn missing_program_or_directory_is_an_error(submitter: &Submitter) {
    let env = granting(&["no-such-program", "cat"]);
    let message = start_error(submitter, command(&["no-such-program"]), &env).await;
    assert!(message.contains("`no-such-program`: there is no such program in"), "{message}");
    let lost = CommandSpec { directory: Some("/no/such".into()), ..command(&["cat"]) };
    let message = start_error(submitter, lost, &env).await;
    assert!(message.starts_with("cannot start `cat` in /no/such: No such file"), "{message}");
    let lost = CommandSpec { directory: Some("data".into()), ..command(&["cat"]) };
    assert!(start_error(submitter, lost, &env).await.contains("`data`"));
}

pub async fn command_returns_output_and_status(submitter: &Submitter) {
    let env = granting(&["uname", "sh", "cat"]);
    let uname = output_of(submitter, command(&["uname", "-a"]), &env).await;
    assert!(uname.starts_with("Linux "), "{uname}");
    // No shell expands the arguments.
    let words = ["sh", "-c", "printf '%s\\n' \"$0\" \"$@\"", "a b", "$HOME", "", "ä"];
    assert_eq!(output_of(submitter, command(&words), &env).await, "a b\n$HOME\n\nä\n");
    let cat = CommandSpec { input: Some("one\ntwo".into()), ..command(&["cat"]) };
    assert_eq!(output_of(submitter, cat, &env).await, "one\ntwo");
    // Without input, the command reads end of file.
    assert_eq!(output_of(submitter, command(&["cat"]), &env).await, "");
    let done = submitter.submit(perform(script("echo out; echo err >&2; exit 7")), &env).await;
    let (out, err) = ("out\n".to_owned(), "err\n".to_owned());
    assert_eq!(done.unwrap(), CommandResult { code: Some(7), signal: None, out, err });
    let done = submitter.submit(perform(script("kill -15 $$")), &env).await.unwrap();
    assert_eq!((done.code, done.signal), (None, Some(15)));
}

pub async fn command_inherits_output_of_closure(submitter: &Submitter) {
    let env = granting(&["sh"]);
    let spec = script("echo between; echo err >&2; exit 1");
    let run = submitter.spawn(perform_aloud(spec), &env);
    let logs = run.logs();
    assert_eq!(run.wait().await.unwrap(), "exit status: 1");
    let lines: Vec<String> = futures::StreamExt::collect::<Vec<_>>(logs)
        .await
        .into_iter()
        .map(|line: hype::run::LogLine| line.text)
        .collect();
    // Output of the two streams may interleave in any sequence.
    let out: Vec<_> = lines.iter().filter(|line| *line != "err").collect();
    assert_eq!(out, ["before, between", "and after"]);
    assert!(lines.iter().any(|line| line == "err"), "{lines:?}");
}

pub async fn outputs_are_read_concurrently(submitter: &Submitter) {
    let text =
        "i=0; while [ $i -lt 300 ]; do printf '%1000s' a; printf '%1000s' b >&2; i=$((i+1)); done";
    let done = submitter.submit(perform(script(text)), &granting(&["sh"])).await.unwrap();
    assert_eq!((done.out.len(), done.err.len()), (300_000, 300_000));
}

pub async fn hundred_sequential_commands_succeed(submitter: &Submitter) {
    let env = granting(&["uname"]);
    let times = submitter.submit(time_commands(command(&["uname"]), 100), &env).await.unwrap();
    assert_eq!(times.len(), 100);
}

/// Streaming holds only one chunk in memory, in the guest and in the host.
pub async fn large_streams_are_not_buffered_in_memory(submitter: &Submitter) {
    let env = granting(&["head", "wc"]).with_memory(32 << 20);
    let head = command(&["head", "-c", "67108864", "/dev/zero"]);
    assert_eq!(submitter.submit(count_output(head), &env).await.unwrap(), 64 << 20);
    let fed = submitter.submit(feed(command(&["wc", "-c"]), 64 << 20), &env).await.unwrap();
    assert_eq!(fed.trim(), "67108864");
    // A command that reads only the beginning of its input doesn't end the closure.
    let result = submitter.submit(feed(command(&["head", "-c", "1"]), 64 << 20), &env).await;
    assert!(failure(result, FailureKind::Function).1.message.contains("broken pipe"));
}

pub async fn command_inherits_variables_of_closure(submitter: &Submitter) {
    let env = granting(&["env"])
        .allow_command(CommandGrant::new("env").with_variable("ALONE"))
        .with_env("GREETING", "hello")
        .with_env("OTHER", "1");
    let seen = |spec: CommandSpec| {
        let env = env.clone();
        async move {
            let text = output_of(submitter, spec, &env).await;
            let variables = text.lines().filter_map(|line| line.split_once('='));
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<std::collections::BTreeMap<_, _>>()
        }
    };
    let plain = seen(command(&["env"])).await;
    assert_eq!((&*plain["GREETING"], &*plain["OTHER"]), ("hello", "1"));
    assert!(plain["HYPE_EXECUTION_ID"].starts_with("hype-run-"), "{plain:?}");
    let changed = CommandSpec {
        variables: [("GREETING".into(), "bye".into())].into(),
        removed: Some("OTHER".into()),
        ..command(&["env"])
    };
    let changed = seen(changed).await;
    assert_eq!((&*changed["GREETING"], changed.get("OTHER")), ("bye", None));
    let variables = [("ALONE".to_owned(), "1".to_owned())].into();
    let cleared = seen(CommandSpec { clear: true, variables, ..command(&["env"]) }).await;
    assert_eq!(cleared.keys().collect::<Vec<_>>(), ["ALONE", "PATH"]);
}

pub async fn unsafe_variables_are_rejected(submitter: &Submitter) {
    let env = granting(&["env"]);
    for name in
        ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "GCONV_PATH", "IFS", "BASH_ENV"]
    {
        let variables = [(name.to_owned(), "/tmp".to_owned())].into();
        let message =
            start_error(submitter, CommandSpec { variables, ..command(&["env"]) }, &env).await;
        assert!(message.contains(&format!("cannot set the variable {name} of")), "{message}");
    }
}

/// Many programs run other programs that a variable names.
pub async fn ungranted_variables_are_rejected(submitter: &Submitter) {
    let env = granting(&["env"]).with_env("GREETING", "hello");
    for name in ["OPENSSL_CONF", "GIT_SSH_COMMAND", "BASH_FUNC_ls%%", "PERL5OPT"] {
        let variables = [(name.to_owned(), "() { :; }".to_owned())].into();
        let message =
            start_error(submitter, CommandSpec { variables, ..command(&["env"]) }, &env).await;
        assert!(message.contains(&format!("cannot set the variable {name} of")), "{message}");
    }
}

pub async fn command_has_no_network_without_a_grant(submitter: &Submitter) {
    let open = "exec 3<>/dev/tcp/127.0.0.1/1";
    let bash = |env: &RunEnvironment| {
        let env = env.clone();
        async move {
            let done =
                submitter.submit(perform(command(&["bash", "-c", open])), &env).await.unwrap();
            assert_ne!(done.code, Some(0), "{done:?}");
            done.err
        }
    };
    let error = bash(&granting(&["bash"])).await;
    assert!(error.contains("Operation not permitted"), "{error}");
    let granted = granting(&[]).allow_command(CommandGrant::new("bash").with_network());
    let error = bash(&granted).await;
    assert!(error.contains("Connection refused"), "{error}");
}

pub async fn number_of_command_processes_is_limited(submitter: &Submitter) {
    let text =
        "i=0; while [ $i -lt 2900 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); done; echo $i";
    let env = granting(&["sh"]).with_timeout(Duration::from_secs(60));
    let done = submitter.submit(perform(script(text)), &env).await.unwrap();
    assert!(!done.out.contains("2900"), "{done:?}");
    assert!(done.code != Some(0), "{done:?}");
}

pub async fn command_has_no_terminal(submitter: &Submitter) {
    let text = "cut -d ' ' -f 6,7 /proc/$$/stat; echo $$";
    let seen = output_of(submitter, script(text), &granting(&["sh", "cut"])).await;
    let fields: Vec<_> = seen.split_whitespace().collect();
    // It leads its session, which has no terminal.
    assert_eq!((fields[0], fields[1]), (fields[2], "0"));
}

/// Mounts appear at their paths, with the access that they were mounted with.
pub async fn mounts_appear_at_their_paths(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let mount = "/usr/share/volume";
    let writing = granting(&["sh", "cat", "ls"]).with_mount(volume.mount_read_write(mount));
    let reading = granting(&["sh", "cat"]).with_mount(volume.mount_read_only(mount));
    output_of(submitter, script("echo one >/usr/share/volume/word"), &writing).await;
    let cat = || command(&["cat", "/usr/share/volume/word"]);
    assert_eq!(output_of(submitter, cat(), &reading).await, "one\n");
    let here = CommandSpec { directory: Some(mount.into()), ..command(&["cat", "word"]) };
    assert_eq!(output_of(submitter, here, &reading).await, "one\n");
    let write = perform(script("echo two >/usr/share/volume/word"));
    let done = submitter.submit(write, &reading).await.unwrap();
    assert!(done.code != Some(0) && done.err.contains("Read-only file system"), "{done:?}");
    assert_eq!(output_of(submitter, cat(), &reading).await, "one\n");
    // Directories of the machine beside the mount stay visible.
    assert!(output_of(submitter, command(&["ls", "/usr"]), &writing).await.contains("bin\n"));
}

pub async fn ten_commands_read_concurrently(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let mount = "/usr/share/volume";
    let writing = granting(&["sh"]).with_mount(volume.mount_read_write(mount));
    output_of(submitter, script("echo one >/usr/share/volume/word"), &writing).await;
    let reading = granting(&["cat"]).with_mount(volume.mount_read_only(mount));
    let cat = || output_of(submitter, command(&["cat", "/usr/share/volume/word"]), &reading);
    let read = futures::future::join_all((0..10).map(|_| cat())).await;
    assert_eq!(read, ["one\n"; 10]);
}

/// A closure may write a program to a directory that comes first in `PATH`.
pub async fn closure_written_program_is_not_started(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let host = HostDirectory::new(directory.path());
    let env = granting(&["sh", "impostor"]).with_mount(host.mount_read_write("/usr/local/sbin"));
    let plant = "printf '#!/bin/sh\\necho impostor\\n' >/usr/local/sbin/NAME; chmod 755 /usr/local/sbin/NAME";
    for name in ["uname", "impostor"] {
        output_of(submitter, script(&plant.replace("NAME", name)), &env).await;
    }
    let message =
        start_error(submitter, command(&["impostor"]), &env.allow_command("impostor")).await;
    // The local runner doesn't search mounts for programs.
    let why = ["and closures may write to ", "there is no such program"];
    assert!(why.iter().any(|why| message.contains(why)), "{message}");
    let uname = output_of(submitter, command(&["uname"]), &env.allow_command("uname")).await;
    assert_eq!(uname, "Linux\n");
}

pub async fn command_has_three_descriptors(submitter: &Submitter) {
    let spec = script("ls /proc/$$/fd");
    let seen = output_of(submitter, spec, &granting(&["sh"])).await;
    assert_eq!(seen, "0\n1\n2\n");
}

/// In a container, process 1 is `hype-run`, which has credentials.
pub async fn first_process_hides_its_variables(submitter: &Submitter) {
    let cat = perform(command(&["cat", "/proc/1/environ"]));
    let done = submitter.submit(cat, &granting(&["cat"])).await.unwrap();
    assert_eq!(done.out, "");
    assert!(done.code == Some(0) || done.err.contains("Permission denied"), "{done:?}");
}

pub async fn command_gains_no_privileges(submitter: &Submitter) {
    let seen =
        output_of(submitter, script("grep NoNewPrivs /proc/$$/status"), &granting(&["sh"])).await;
    assert_eq!(seen, "NoNewPrivs:\t1\n");
}

pub async fn command_can_be_killed(submitter: &Submitter) {
    // Killing a command also kills its children.
    let spec = script("sleep 1000 & sleep 1000");
    let ended = submitter.submit(kill(spec), &granting(&["sh"])).await.unwrap();
    assert_eq!(ended, (None, Some(9)));
}

pub async fn concurrent_commands_are_bounded(submitter: &Submitter) {
    let env = granting(&["sleep"]);
    submitter.submit(start_many(command(&["sleep", "1000"]), 64), &env).await.unwrap();
    let result = submitter.submit(start_many(command(&["sleep", "1000"]), 65), &env).await;
    let (_, failure) = failure(result, FailureKind::Function);
    assert!(failure.message.contains("64 commands are running"), "{failure:?}");
}

pub async fn closure_may_return_before_its_commands(submitter: &Submitter) {
    let env = granting(&["sleep"]);
    submitter.submit(leave(vec![command(&["sleep", "1000"])]), &env).await.unwrap();
}

/// Containers on another machine are invisible to this check.
pub async fn deadline_kills_all_processes(submitter: &Submitter) {
    let env = granting(&["sh"]).with_timeout(Duration::from_millis(1500));
    let mark = ProcessMark::new();
    for spec in outliving_commands(&mark) {
        let result = submitter.submit(start_and_wait(spec), &env).await;
        failure(result, FailureKind::Deadline);
        assert_eq!(mark.remaining(), [""; 0]);
    }
}
