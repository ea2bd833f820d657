//! Commands, where the environment grants them. They need an image with a shell and the usual programs:
//! `HYPE_TEST_COMMANDS_IMAGE` names one where closures run in containers.

use std::time::Duration;

use hype::{FailureKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::process::{
    Done, Order, count_output, feed, kill, leave, perform, perform_aloud, start_and_wait,
    start_many, time_commands,
};

use crate::failure;
use crate::left::{Mark, outliving};

/// An environment that grants these commands, in a place that has them.
pub fn granting(names: &[&str]) -> RunEnvironment {
    let env = RunEnvironment::new();
    let env = names.iter().fold(env, |env, name| env.allow_command(*name));
    match std::env::var("HYPE_TEST_COMMANDS_IMAGE") {
        Ok(image) => env.with_image(image),
        Err(_) => env,
    }
}

/// A command with these words.
pub fn order(words: &[&str]) -> Order {
    let (program, arguments) = words.split_first().unwrap();
    let arguments = arguments.iter().map(ToString::to_string).collect();
    Order { program: program.to_string(), arguments, ..Order::default() }
}

/// A script for the shell.
pub fn script(text: &str) -> Order {
    order(&["sh", "-c", text])
}

/// What a command writes, which must do well.
pub async fn said(submitter: &Submitter, order: Order, env: &RunEnvironment) -> String {
    let done = submitter.submit(perform(order), env).await.unwrap();
    assert_eq!((done.code, &*done.err), (Some(0), ""), "{done:?}");
    done.out
}

/// The message of a command that can't be started, as the closure is told.
async fn refused(submitter: &Submitter, order: Order, env: &RunEnvironment) -> String {
    let result = submitter.submit(perform(order), env).await;
    failure(result, FailureKind::Function).1.message
}

pub async fn a_command_that_nothing_grants_ends_the_closure(submitter: &Submitter) {
    let other = RunEnvironment::new().allow_command("uname2");
    for env in [RunEnvironment::new(), other] {
        let result = submitter.submit(perform(order(&["uname"])), &env).await;
        let (_, failure) = failure(result, FailureKind::Power);
        assert_eq!(
            failure.message,
            "`perform` started `uname`, which its environment doesn't grant: \
             RunEnvironment::allow_command(\"uname\") would"
        );
    }
    let env = RunEnvironment::new().allow_command("uname");
    for path in ["/bin/uname", "../bin/uname", "./uname"] {
        let result = submitter.submit(perform(order(&[path])), &env).await;
        let (_, failure) = failure(result, FailureKind::Power);
        assert!(failure.message.ends_with("commands are started by their names"), "{failure:?}");
    }
}

pub async fn what_is_not_there_is_an_error(submitter: &Submitter) {
    let env = granting(&["no-such-program", "cat"]);
    let message = refused(submitter, order(&["no-such-program"]), &env).await;
    assert!(message.contains("`no-such-program`: there is no such program in"), "{message}");
    let lost = Order { directory: Some("/no/such".into()), ..order(&["cat"]) };
    let message = refused(submitter, lost, &env).await;
    assert!(message.starts_with("cannot start `cat` in /no/such: No such file"), "{message}");
    let lost = Order { directory: Some("data".into()), ..order(&["cat"]) };
    assert!(refused(submitter, lost, &env).await.contains("`data`"));
}

pub async fn a_command_says_what_it_has_to_say(submitter: &Submitter) {
    let env = granting(&["uname", "sh", "cat"]);
    let uname = said(submitter, order(&["uname", "-a"]), &env).await;
    assert!(uname.starts_with("Linux "), "{uname}");
    // No shell looks at arguments.
    let words = ["sh", "-c", "printf '%s\\n' \"$0\" \"$@\"", "a b", "$HOME", "", "ä"];
    assert_eq!(said(submitter, order(&words), &env).await, "a b\n$HOME\n\nä\n");
    let cat = Order { input: Some("one\ntwo".into()), ..order(&["cat"]) };
    assert_eq!(said(submitter, cat, &env).await, "one\ntwo");
    // Without input there is its end.
    assert_eq!(said(submitter, order(&["cat"]), &env).await, "");
    let done = submitter.submit(perform(script("echo out; echo err >&2; exit 7")), &env).await;
    let (out, err) = ("out\n".to_owned(), "err\n".to_owned());
    assert_eq!(done.unwrap(), Done { code: Some(7), signal: None, out, err });
    let done = submitter.submit(perform(script("kill -15 $$")), &env).await.unwrap();
    assert_eq!((done.code, done.signal), (None, Some(15)));
}

pub async fn a_commands_output_may_be_the_closures(submitter: &Submitter) {
    let env = granting(&["sh"]);
    let order = script("echo between; echo err >&2; exit 1");
    let run = submitter.spawn(perform_aloud(order), &env);
    let logs = run.logs();
    assert_eq!(run.wait().await.unwrap(), "exit status: 1");
    let lines: Vec<String> = futures::StreamExt::collect::<Vec<_>>(logs)
        .await
        .into_iter()
        .map(|line: hype::run::LogLine| line.text)
        .collect();
    // The two outputs go ways of their own.
    let out: Vec<_> = lines.iter().filter(|line| *line != "err").collect();
    assert_eq!(out, ["before, between", "and after"]);
    assert!(lines.iter().any(|line| line == "err"), "{lines:?}");
}

pub async fn both_outputs_are_read_at_once(submitter: &Submitter) {
    let text =
        "i=0; while [ $i -lt 300 ]; do printf '%1000s' a; printf '%1000s' b >&2; i=$((i+1)); done";
    let done = submitter.submit(perform(script(text)), &granting(&["sh"])).await.unwrap();
    assert_eq!((done.out.len(), done.err.len()), (300_000, 300_000));
}

/// Its outputs may end in any order, and at once.
pub async fn many_commands_one_after_the_other(submitter: &Submitter) {
    let env = granting(&["uname"]);
    let times = submitter.submit(time_commands(order(&["uname"]), 100), &env).await.unwrap();
    assert_eq!(times.len(), 100);
}

/// A guest has no more of it than a piece, and neither has its host.
pub async fn what_streams_takes_no_memory(submitter: &Submitter) {
    let env = granting(&["head", "wc"]).with_memory(32 << 20);
    let head = order(&["head", "-c", "67108864", "/dev/zero"]);
    assert_eq!(submitter.submit(count_output(head), &env).await.unwrap(), 64 << 20);
    let fed = submitter.submit(feed(order(&["wc", "-c"]), 64 << 20), &env).await.unwrap();
    assert_eq!(fed.trim(), "67108864");
    // What reads only its beginning doesn't end the closure.
    let result = submitter.submit(feed(order(&["head", "-c", "1"]), 64 << 20), &env).await;
    assert!(failure(result, FailureKind::Function).1.message.contains("broken pipe"));
}

pub async fn a_commands_variables_are_the_closures(submitter: &Submitter) {
    let env = granting(&["env"]).with_env("GREETING", "hello").with_env("OTHER", "1");
    let seen = |order: Order| {
        let env = env.clone();
        async move {
            let text = said(submitter, order, &env).await;
            let variables = text.lines().filter_map(|line| line.split_once('='));
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<std::collections::BTreeMap<_, _>>()
        }
    };
    let plain = seen(order(&["env"])).await;
    assert_eq!((&*plain["GREETING"], &*plain["OTHER"]), ("hello", "1"));
    assert!(plain["HYPE_EXECUTION_ID"].starts_with("hype-run-"), "{plain:?}");
    let changed = Order {
        variables: [("GREETING".into(), "bye".into())].into(),
        removed: Some("OTHER".into()),
        ..order(&["env"])
    };
    let changed = seen(changed).await;
    assert_eq!((&*changed["GREETING"], changed.get("OTHER")), ("bye", None));
    let variables = [("ALONE".to_owned(), "1".to_owned())].into();
    let cleared = seen(Order { clear: true, variables, ..order(&["env"]) }).await;
    assert_eq!(cleared.keys().collect::<Vec<_>>(), ["ALONE", "PATH"]);
}

pub async fn variables_that_lead_to_other_programs_are_refused(submitter: &Submitter) {
    let env = granting(&["env"]);
    for name in
        ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PATH", "GCONV_PATH", "IFS", "BASH_ENV"]
    {
        let variables = [(name.to_owned(), "/tmp".to_owned())].into();
        let message = refused(submitter, Order { variables, ..order(&["env"]) }, &env).await;
        assert!(message.contains(&format!("cannot set the variable {name} of")), "{message}");
    }
}

/// What is mounted is at its path, with the rights that it was mounted with.
pub async fn mounts_are_at_their_paths(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let mount = "/usr/share/volume";
    let writing = granting(&["sh", "cat", "ls"]).with_mount(volume.mount_read_write(mount));
    let reading = granting(&["sh", "cat"]).with_mount(volume.mount_read_only(mount));
    said(submitter, script("echo one >/usr/share/volume/word"), &writing).await;
    let cat = || order(&["cat", "/usr/share/volume/word"]);
    assert_eq!(said(submitter, cat(), &reading).await, "one\n");
    let here = Order { directory: Some(mount.into()), ..order(&["cat", "word"]) };
    assert_eq!(said(submitter, here, &reading).await, "one\n");
    let write = perform(script("echo two >/usr/share/volume/word"));
    let done = submitter.submit(write, &reading).await.unwrap();
    assert!(done.code != Some(0) && done.err.contains("Read-only file system"), "{done:?}");
    assert_eq!(said(submitter, cat(), &reading).await, "one\n");
    // What is beside it on the machine is there as ever.
    assert!(said(submitter, order(&["ls", "/usr"]), &writing).await.contains("bin\n"));
}

pub async fn ten_commands_read_at_once(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let mount = "/usr/share/volume";
    let writing = granting(&["sh"]).with_mount(volume.mount_read_write(mount));
    said(submitter, script("echo one >/usr/share/volume/word"), &writing).await;
    let reading = granting(&["cat"]).with_mount(volume.mount_read_only(mount));
    let cat = || said(submitter, order(&["cat", "/usr/share/volume/word"]), &reading);
    let read = futures::future::join_all((0..10).map(|_| cat())).await;
    assert_eq!(read, ["one\n"; 10]);
}

/// A closure may put a program where it can write, also where `PATH` leads first.
pub async fn a_program_of_a_closures_own_is_not_started(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let host = HostDirectory::new(directory.path());
    let env = granting(&["sh", "impostor"]).with_mount(host.mount_read_write("/usr/local/sbin"));
    let plant = "printf '#!/bin/sh\\necho impostor\\n' >/usr/local/sbin/NAME; chmod 755 /usr/local/sbin/NAME";
    for name in ["uname", "impostor"] {
        said(submitter, script(&plant.replace("NAME", name)), &env).await;
    }
    let message = refused(submitter, order(&["impostor"]), &env.allow_command("impostor")).await;
    // In a process of the user's the mount isn't among the directories that are looked through.
    let why = ["and closures may write to ", "there is no such program"];
    assert!(why.iter().any(|why| message.contains(why)), "{message}");
    let uname = said(submitter, order(&["uname"]), &env.allow_command("uname")).await;
    assert_eq!(uname, "Linux\n");
}

pub async fn a_command_has_three_descriptors(submitter: &Submitter) {
    let order = script("ls /proc/$$/fd");
    let seen = said(submitter, order, &granting(&["sh"])).await;
    assert_eq!(seen, "0\n1\n2\n");
}

/// In a container that is `hype-run`, which was given credentials; in this process one that has none.
pub async fn variables_of_the_first_process_are_out_of_reach(submitter: &Submitter) {
    let cat = perform(order(&["cat", "/proc/1/environ"]));
    let done = submitter.submit(cat, &granting(&["cat"])).await.unwrap();
    assert_eq!(done.out, "");
    assert!(done.code == Some(0) || done.err.contains("Permission denied"), "{done:?}");
}

pub async fn a_command_gets_no_new_rights(submitter: &Submitter) {
    let seen = said(submitter, script("grep NoNewPrivs /proc/$$/status"), &granting(&["sh"])).await;
    assert_eq!(seen, "NoNewPrivs:\t1\n");
}

pub async fn a_command_can_be_ended(submitter: &Submitter) {
    // With what it started.
    let order = script("sleep 1000 & sleep 1000");
    let ended = submitter.submit(kill(order), &granting(&["sh"])).await.unwrap();
    assert_eq!(ended, (None, Some(9)));
}

pub async fn commands_at_once_are_bounded(submitter: &Submitter) {
    let env = granting(&["sleep"]);
    submitter.submit(start_many(order(&["sleep", "1000"]), 64), &env).await.unwrap();
    let result = submitter.submit(start_many(order(&["sleep", "1000"]), 65), &env).await;
    let (_, failure) = failure(result, FailureKind::Function);
    assert!(failure.message.contains("64 commands are running"), "{failure:?}");
}

pub async fn a_closure_needn_t_wait_for_its_commands(submitter: &Submitter) {
    let env = granting(&["sleep"]);
    submitter.submit(leave(vec![order(&["sleep", "1000"])]), &env).await.unwrap();
}

/// Where containers are on another machine, this sees nothing of them.
pub async fn nothing_is_left_at_the_deadline(submitter: &Submitter) {
    let env = granting(&["sh"]).with_timeout(Duration::from_millis(1500));
    let mark = Mark::new();
    for order in outliving(&mark) {
        let result = submitter.submit(start_and_wait(order), &env).await;
        failure(result, FailureKind::Deadline);
        assert_eq!(mark.left(), [""; 0]);
    }
}
