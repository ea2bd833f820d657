//! Native code that tests run inside of a worker, in place of a guest that has broken out of its sandbox.

use std::io;
use std::path::Path;

use super::channel::Channel;
use super::message::{FromWorkerKind, MAX_MESSAGE, without_head};

/// The variable of a job that makes its worker run native code. Only test builds know it.
pub(super) const VARIABLE: &str = "HYPE_TEST_NATIVE";

/// The value of [`VARIABLE`] that makes native code allocate [`ALLOCATED`] bytes during its first call.
const ALLOCATES: &str = "allocates";

/// Runs native code. `action` is [`ALLOCATES`] or a file that the worker must not reach.
pub(super) fn run(
    channel: &Channel,
    directory: &Path,
    tmp: Option<&Path>,
    action: &str,
) -> io::Result<()> {
    if action == ALLOCATES {
        channel.receive(&mut vec![0; MAX_MESSAGE])?;
        return allocate_read_only_memory();
    }
    try_everything(channel, [Some(directory), tmp], action)
}

/// The memory that native code allocates unless its process is killed.
const ALLOCATED: usize = 4 << 30;

/// Allocates memory that no limit of the system counts.
fn allocate_read_only_memory() -> io::Result<()> {
    const SIZE: usize = 1 << 20;
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    for _ in 0..ALLOCATED / SIZE {
        // SAFETY: nothing else uses the new memory, of which the written part exists.
        unsafe {
            let memory = libc::mmap(std::ptr::null_mut(), SIZE, writable, flags, -1, 0);
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            memory.write_bytes(1, SIZE);
            if libc::mprotect(memory, SIZE, libc::PROT_READ) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// Tries everything that a worker must not do, and sends what succeeded. `outside` is a file that exists.
fn try_everything(
    channel: &Channel,
    directories: [Option<&Path>; 2],
    outside: &str,
) -> io::Result<()> {
    let text = succeeded(directories, Path::new(outside)).join("\n");
    channel.send([&without_head(FromWorkerKind::Stdout as u8), text.as_bytes()], &[])
}

fn succeeded(directories: [Option<&Path>; 2], outside: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |what: &str, is_possible: bool| {
        if is_possible {
            found.push(what.to_owned());
        }
    };
    // The only things that must succeed.
    for (what, directory) in
        ["write to its directory", "write to the /tmp of commands"].into_iter().zip(directories)
    {
        let Some(directory) = directory else { continue };
        check(what, std::fs::write(directory.join("a"), "a").is_ok());
    }
    check("read a file", std::fs::read(outside).is_ok());
    check("list a directory", std::fs::read_dir("/").is_ok());
    check("read its own variables", std::fs::read("/proc/self/environ").is_ok());
    check("write to a file", std::fs::OpenOptions::new().append(true).open(outside).is_ok());
    check("remove a file", std::fs::remove_file(outside).is_ok());
    // SAFETY: these are system calls on numbers and on local memory, most of which fail.
    unsafe {
        let parent = libc::getppid();
        check("signal its parent", libc::kill(parent, 0) == 0);
        check("signal all", libc::kill(-1, 0) == 0);
        check(
            "fork",
            match libc::fork() {
                0 => libc::_exit(0),
                pid => pid > 0,
            },
        );
        let none = std::ptr::null::<*const libc::c_char>();
        check("execute a program", libc::execve(c"/bin/true".as_ptr(), none, none) == 0);
        for (name, family) in
            [("unix", libc::AF_UNIX), ("internet", libc::AF_INET), ("netlink", libc::AF_NETLINK)]
        {
            check(
                &format!("create a socket: {name}"),
                libc::socket(family, libc::SOCK_DGRAM, 0) >= 0,
            );
        }
        let executable = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let mapped = libc::mmap(std::ptr::null_mut(), 4096, executable, flags, -1, 0);
        check("create executable memory", mapped != libc::MAP_FAILED);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let mapped = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
        check("create shared memory", mapped != libc::MAP_FAILED);
        let nothing = std::ptr::null::<libc::c_void>();
        for (name, call) in [
            ("ptrace", libc::SYS_ptrace),
            ("bpf", libc::SYS_bpf),
            ("io_uring_setup", libc::SYS_io_uring_setup),
            ("unshare", libc::SYS_unshare),
            ("memfd_create", libc::SYS_memfd_create),
            ("process_vm_readv", libc::SYS_process_vm_readv),
            ("pidfd_open", libc::SYS_pidfd_open),
            ("userfaultfd", libc::SYS_userfaultfd),
            ("perf_event_open", libc::SYS_perf_event_open),
            ("mount", libc::SYS_mount),
            ("chroot", libc::SYS_chroot),
            ("setuid", libc::SYS_setuid),
            ("setrlimit", libc::SYS_setrlimit),
            ("keyctl", libc::SYS_keyctl),
            ("socketpair", libc::SYS_socketpair),
        ] {
            let result = libc::syscall(call, 0, nothing, nothing, nothing, nothing);
            let errno = io::Error::last_os_error().raw_os_error();
            check(name, result >= 0 || errno != Some(libc::EPERM));
        }
        check("own a file's signals", libc::fcntl(0, libc::F_SETOWN, parent) == 0);
        let mut open = Vec::new();
        for fd in 0..1024 {
            if libc::fcntl(fd, libc::F_GETFD) >= 0 {
                open.push(fd);
            }
        }
        // The null device, the channel, and the four of the runtime.
        check(&format!("use the descriptors {open:?}"), open.len() > MAX_DESCRIPTORS);
    }
    found
}

/// The channel, `/dev/null`, and those of the runtime: an epoll instance, a wake-up, a socket pair for signals, and copies.
const MAX_DESCRIPTORS: usize = 10;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use hype_wire::{Blob, ComponentRef, FailureKind, FunctionRef, Job, Powers};
    use tokio_util::sync::CancellationToken;

    use super::super::call_commands::CallCommands;
    use super::super::command_broker::commands_of_call;
    use super::super::fork_server::{ForkServer, ready};
    use super::super::job::{Rest, WorkerJob};
    use super::super::message::{EncodedSetup, Setup};
    use super::{ALLOCATES, VARIABLE};
    use crate::execution::{CallContext, Remote};
    use crate::executor::Executor;
    use crate::layout::Layout;
    use crate::output::GuestOutput;
    use crate::prepared::ItemCall;
    use crate::process::CommandRoom;
    use crate::run::RunRequest;
    use crate::variables::Variables;

    /// Returns what native code in a worker was able to do. `outside` is a file that must stay out of its reach.
    async fn native_code(outside: &str, commands: Option<&CallCommands>) -> String {
        let mut server = ForkServer::start(None).await.unwrap();
        let mut setup = Setup::of_nothing();
        setup.job.env.insert(VARIABLE.to_owned(), outside.to_owned());
        let tmp = commands.map(|commands| Arc::clone(commands.tmp()));
        let setup = EncodedSetup { tmp, ..setup.encode().unwrap() };
        let worker = server.fork(None, &setup).await.unwrap().unwrap();
        let mut worker = ready(worker).await.unwrap();
        let text = tokio::time::timeout(Duration::from_secs(60), worker.receive_text()).await;
        text.unwrap().unwrap()
    }

    #[tokio::test]
    async fn native_code_in_a_worker_reaches_only_its_directory() {
        if CommandRoom::of_this_machine().landlock.is_none() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        let succeeded = native_code(outside.path().to_str().unwrap(), None).await;
        assert_eq!(succeeded, "write to its directory");
        assert!(outside.path().exists());
    }

    #[tokio::test]
    async fn native_code_in_a_worker_with_commands_reaches_only_their_directory() {
        let room = CommandRoom::of_this_machine();
        if room.landlock.is_none() || room.refusal.is_some() {
            eprintln!("skipped: {room}");
            return;
        }
        let commands = commands_of_call();
        // A worker of root can open the files of all users that Landlock doesn't deny.
        let outside = tempfile::NamedTempFile::new().unwrap();
        let nobody = room.is_nobodys.then_some(65534);
        std::os::unix::fs::chown(outside.path(), nobody, nobody).unwrap();
        let succeeded = native_code(outside.path().to_str().unwrap(), Some(&commands)).await;
        assert_eq!(succeeded, "write to its directory\nwrite to the /tmp of commands");
        assert!(outside.path().exists());
    }

    /// Prepares `job` for workers, without a function, and passes it to `call`.
    async fn in_worker<T>(
        mut job: Job,
        call: impl AsyncFnOnce(&WorkerJob, CallContext<'_>, &Executor) -> T,
    ) -> T {
        let bytes = wat::parse_str("(component)").unwrap();
        job.component.blob = Blob::of(&bytes);
        let executor = Executor::in_workers(1);
        let workers = executor.workers_for(&Powers::default()).await.unwrap();
        let code = executor.compile_unchecked(&job.component, bytes.into(), None).await.unwrap();
        // SAFETY: this version has just compiled the code.
        let code = unsafe { workers.load(&job.component, code.into_file().unwrap()).await };
        let (layout, variables) = (Layout::of_roots(Vec::new()), Variables::none());
        let worker_job = workers.job(code.unwrap().unwrap(), &job, &layout, &variables).unwrap();
        let request = RunRequest {
            manifest_url: String::new(),
            digest: None,
            manifest: None,
            arguments: None,
            key: None,
            attempt: 1,
            variables,
            interrupt: CancellationToken::new(),
        };
        let context = CallContext {
            job: &job,
            run_id: "run-1",
            request: &request,
            layout: &layout,
            output: &GuestOutput::new(|_, _| {}),
            function: &FunctionRef::Closure("f".to_owned()),
            seed: None,
            spent: Duration::ZERO,
            interrupt: &request.interrupt,
            remote: Remote::default(),
            progress: None,
        };
        let called = call(&worker_job, context, &executor);
        tokio::time::timeout(Duration::from_secs(120), called).await.unwrap()
    }

    /// Returns a job whose worker is killed during its first call.
    fn killed() -> Job {
        let component = ComponentRef { name: "test".to_owned(), blob: Blob::of(b"") };
        let mut job = Job::new(component);
        job.limits.memory = Some(1 << 20);
        job.env.insert(VARIABLE.to_owned(), ALLOCATES.to_owned());
        job
    }

    #[tokio::test]
    async fn worker_with_too_much_memory_is_killed() {
        let called = in_worker(killed(), async |job, context, executor| {
            job.call(context, b"", executor.resolver()).await
        });
        let failure = called.await.value.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Memory, "{failure:?}");
        assert!(failure.message.starts_with("the worker process of `f` was killed"), "{failure:?}");
    }

    /// Processes of other users are hidden where `/proc` is mounted with `hidepid`, and so are those that can't be traced.
    #[test]
    fn hidden_worker_with_too_much_memory_is_killed() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can mount /proc with hidepid");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let anyone = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        anyone(directory.path(), 0o777);
        let program = directory.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        anyone(&program, 0o755);
        let as_nobody = "mount -t proc -o hidepid=2 proc /proc && \
                         exec setpriv --reuid 65534 --regid 65534 --clear-groups \
                         ./program --exact workers::native::tests::worker_with_too_much_memory_is_killed";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", as_nobody]).current_dir(&directory);
        let output = command.env("TMPDIR", directory.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if !text.contains("running 1 test") {
            eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        assert!(text.contains("1 passed"), "{text}");
    }

    #[tokio::test]
    async fn calls_of_a_lost_worker_must_be_made_alone() {
        let called = in_worker(killed(), async |job, context, _| {
            let (function, arguments) = (context.function, bytes::Bytes::from_static(b"\x90"));
            let call = ItemCall { function, arguments, seed: None, memory: None };
            let calls = [call.clone(), call];
            let batch = job.batch(&context, &calls).unwrap();
            let outputs = [(); 2].map(|()| GuestOutput::new(|_, _| {}));
            let on_end = &mut |execution| panic!("{execution:?}");
            job.call_batch(&batch, context, &calls, &outputs, on_end).await
        });
        assert_eq!(called.await, Rest::Alone);
    }
}
