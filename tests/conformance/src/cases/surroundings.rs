//! Variables, files, mounts, volumes and network: a closure sees what its environment names, and nothing else.

use futures::future::try_join_all;
use hype::{ErrorKind, FailureKind, HostDirectory, RunEnvironment, Submitter, VolumeRequest};
use test_guests::surroundings::{connect, list, read, read_surely, say, variables, write};

use crate::failure;

pub async fn guest_sees_only_named_variables(submitter: &Submitter) {
    let env = RunEnvironment::new().with_env("GREETING", "hällo\n").with_env("EMPTY", "");
    let seen = submitter.submit(variables(), &env).await.unwrap();
    assert_eq!(seen["GREETING"], "hällo\n");
    assert_eq!(seen["EMPTY"], "");
    let own = ["EMPTY", "GREETING", "HOME", "HYPE_ATTEMPT", "HYPE_EXECUTION_ID", "PATH"];
    assert!(own.iter().all(|name| seen.contains_key(*name)), "{seen:?}");
    // A container has variables of its own and receives the stage's endpoint. No other variable of the submitting
    // program may reach the guest.
    let is_own = |name: &str| own.contains(&name) || name == "STORAGE_EMULATOR_HOST";
    let ours = std::env::vars().filter(|(name, _)| !is_own(name));
    let leaked: Vec<_> = ours.filter(|(name, value)| seen.get(name) == Some(value)).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}

pub async fn attempt_and_execution_id_are_set(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let seen = submitter.submit(variables(), &env).await.unwrap();
    let again = submitter.submit(variables(), &env).await.unwrap();
    assert_eq!(seen["HYPE_ATTEMPT"], "1");
    assert!(seen["HYPE_EXECUTION_ID"].starts_with("hype-run-"), "{seen:?}");
    assert_ne!(seen["HYPE_EXECUTION_ID"], again["HYPE_EXECUTION_ID"]);
}

pub async fn unnamed_paths_do_not_exist(submitter: &Submitter) {
    let env = RunEnvironment::new();
    for path in ["/etc/passwd", "/proc/self/environ", "/tmp/../etc/passwd"] {
        let result = submitter.submit(read(path.into()), &env).await;
        failure(result, FailureKind::Function);
    }
    failure(submitter.submit(list("/".into()), &env).await, FailureKind::Function);
}

pub async fn missing_file_hint_names_with_mount(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let path = || "/data/words.txt".to_owned();
    let (error, _) = failure(submitter.submit(read(path()), &env).await, FailureKind::Function);
    assert!(error.report().contains("RunEnvironment::with_mount"), "{error:?}");
    let (error, _) = failure(submitter.submit(read_surely(path()), &env).await, FailureKind::Panic);
    assert!(error.report().contains("RunEnvironment::with_mount"), "{error:?}");
}

pub async fn staged_files_are_read_only(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("model.bin");
    std::fs::write(&source, "weights").unwrap();
    let env =
        RunEnvironment::new().with_file(&source, "/models/deep/a").with_file(&source, "/models/b");
    for path in ["/models/deep/a", "/models/b"] {
        assert_eq!(submitter.submit(read(path.into()), &env).await.unwrap(), "weights");
        let result = submitter.submit(write(path.into(), "other".into()), &env).await;
        failure(result, FailureKind::Function);
    }
    assert_eq!(submitter.submit(list("/models".into()), &env).await.unwrap(), ["b", "deep"]);
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "weights");
}

pub async fn staged_directories_are_read_only(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::create_dir_all(source.join("sub/none")).unwrap();
    std::fs::write(source.join("a"), "one").unwrap();
    std::fs::write(source.join("sub/b"), "two").unwrap();
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    // Files share parent directories with directories, and one is above them.
    let env = RunEnvironment::new()
        .with_dir(&source, "/models/small")
        .with_dir(&empty, "/models/empty")
        .with_dir(&empty, "/alone")
        .with_file(source.join("a"), "/models/file");
    for (path, names) in [
        ("/models", &["empty", "file", "small"][..]),
        ("/models/small", &["a", "sub"]),
        ("/models/small/sub", &["b", "none"]),
        ("/models/small/sub/none", &[]),
        ("/models/empty", &[]),
        ("/alone", &[]),
    ] {
        assert_eq!(submitter.submit(list(path.into()), &env).await.unwrap(), names, "{path}");
    }
    for (path, text) in [("/models/small/a", "one"), ("/models/small/sub/b", "two")] {
        assert_eq!(submitter.submit(read(path.into()), &env).await.unwrap(), text);
    }
    for path in ["/models/small/a", "/models/small/new", "/alone/new"] {
        let result = submitter.submit(write(path.into(), "other".into()), &env).await;
        failure(result, FailureKind::Function);
    }
    // The content at the time of the submit counts.
    std::fs::write(source.join("a"), "changed").unwrap();
    let now = submitter.submit(read("/models/small/a".into()), &env).await.unwrap();
    assert_eq!(now, "changed");
}

pub async fn directory_of_300_files_is_staged(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> = (100..400).map(|number| number.to_string()).collect();
    for name in &names {
        std::fs::write(directory.path().join(name), name).unwrap();
    }
    let env = RunEnvironment::new().with_dir(directory.path(), "/many");
    assert_eq!(submitter.submit(list("/many".into()), &env).await.unwrap(), names);
    assert_eq!(submitter.submit(read("/many/123".into()), &env).await.unwrap(), "123");
}

pub async fn error_for_unstageable_path_names_it(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let env = RunEnvironment::new();
    for (env, path) in [
        (env.with_file(&missing, "/file"), &missing),
        (env.with_dir(&missing, "/dir"), &missing),
        (env.with_dir(&file, "/dir"), &file),
    ] {
        let error = submitter.submit(list("/".into()), &env).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains(&path.display().to_string()), "{error:?}");
    }
}

pub async fn host_directory_mount_has_its_access(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "one").unwrap();
    let host = HostDirectory::new(directory.path());
    let read_only = RunEnvironment::new().with_mount(host.mount_read_only("/data"));
    assert_eq!(submitter.submit(read("/data/a".into()), &read_only).await.unwrap(), "one");
    let result = submitter.submit(write("/data/b".into(), "two".into()), &read_only).await;
    failure(result, FailureKind::Function);

    let read_write = RunEnvironment::new().with_mount(host.mount_read_write("/data"));
    submitter.submit(write("/data/b".into(), "two".into()), &read_write).await.unwrap();
    assert_eq!(std::fs::read_to_string(directory.path().join("b")).unwrap(), "two");
    let result = submitter.submit(read("/data/../a".into()), &read_write).await;
    failure(result, FailureKind::Function);
}

pub async fn volume_outlives_its_writer(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let read_write = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    submitter.submit(write("/volume/word".into(), "one".into()), &read_write).await.unwrap();
    let read_only = RunEnvironment::new().with_mount(volume.mount_read_only("/volume"));
    assert_eq!(submitter.submit(read("/volume/word".into()), &read_only).await.unwrap(), "one");
    let result = submitter.submit(write("/volume/word".into(), "two".into()), &read_only).await;
    failure(result, FailureKind::Function);
    let other = VolumeRequest::transient("local-disk", "10Mi");
    let env = RunEnvironment::new().with_mount(other.mount_read_only("/volume"));
    assert_eq!(submitter.submit(list("/volume".into()), &env).await.unwrap(), [""; 0]);
}

pub async fn ten_runs_read_a_volume_concurrently(submitter: &Submitter) {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let read_write = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    submitter.submit(write("/volume/word".into(), "one".into()), &read_write).await.unwrap();
    let read_only = RunEnvironment::new().with_mount(volume.mount_read_only("/volume"));
    let readers = (0..10).map(|_| submitter.submit(read("/volume/word".into()), &read_only));
    assert_eq!(try_join_all(readers).await.unwrap(), ["one"; 10]);
}

pub async fn tmp_is_empty_and_writable(submitter: &Submitter) {
    let env = RunEnvironment::new();
    for _ in 0..2 {
        assert_eq!(submitter.submit(list("/tmp".into()), &env).await.unwrap(), [""; 0]);
        submitter.submit(write("/tmp/a".into(), "one".into()), &env).await.unwrap();
    }
}

pub async fn sockets_are_denied(submitter: &Submitter) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let result = submitter.submit(connect(address), &RunEnvironment::new()).await;
    failure(result, FailureKind::Function);
}

pub async fn output_does_not_affect_value(submitter: &Submitter) {
    let closure = say("out".into(), "err\n".into());
    submitter.submit(closure, &RunEnvironment::new()).await.unwrap();
}
