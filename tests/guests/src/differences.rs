//! Unsupported or different behaviour in a closure: provokes what docs/closures.md quotes.

#![cfg_attr(
    target_family = "wasm",
    expect(clippy::unwrap_used, reason = "the message of a panic is what the tests check")
)]

use std::path::PathBuf;

#[cfg(not(target_family = "wasm"))]
use native as here;
#[cfg(target_family = "wasm")]
use wasm as here;

/// The text result of an operation, or its error.
type TextResult = Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// Executes the operation `what` and returns its result.
#[hype::function(fallible)]
pub fn differ(what: String) -> TextResult {
    here::differ(&what)
}

/// Takes a number of pointer size.
#[hype::function]
pub fn take_size(size: usize) -> bool {
    size > 0
}

/// Returns a path that is not UTF-8.
#[hype::function]
pub fn give_path() -> PathBuf {
    here::non_utf8_path()
}

/// Takes a path.
#[hype::function]
pub fn take_path(path: PathBuf) -> bool {
    path.is_absolute()
}

/// Keeps an array of `mib` MiB on the stack. Returns the sum of its bytes.
#[hype::function]
pub fn keep_array(mib: u32) -> u64 {
    here::keep_array(mib)
}

/// Reads at `offset` from address zero, where no memory is, while enough stack is left.
#[hype::function]
pub fn read_nowhere(offset: i32) -> u8 {
    here::read_nowhere(offset)
}

/// Writes beyond the end of memory, while enough stack is left.
#[hype::function]
pub fn fill_beyond_memory() -> u8 {
    here::fill_beyond_memory()
}

/// Stubs: nothing of this can be provoked outside of a closure.
#[cfg(not(target_family = "wasm"))]
mod native {
    pub(super) fn differ(what: &str) -> super::TextResult {
        Err(format!("`{what}` only runs in a closure").into())
    }

    pub(super) fn non_utf8_path() -> std::path::PathBuf {
        std::path::PathBuf::new()
    }

    pub(super) fn keep_array(_: u32) -> u64 {
        0
    }

    pub(super) fn read_nowhere(_: i32) -> u8 {
        0
    }

    pub(super) fn fill_beyond_memory() -> u8 {
        0
    }
}

#[cfg(target_family = "wasm")]
mod wasm {
    use std::ffi::OsStr;
    use std::fs::{self, File, FileTimes};
    use std::io;
    use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};
    use std::sync::{Barrier, Condvar, Mutex, mpsc};
    use std::time::{Duration, SystemTime};
    use std::{env, panic, process, thread};

    use rayon::prelude::*;

    use super::TextResult;

    pub(super) fn differ(what: &str) -> TextResult {
        let (module, what) = what.split_once(' ').unwrap_or((what, ""));
        match module {
            "thread" => threads(what),
            "rayon" => parallel(what),
            "fs" => files(what),
            "env" => environment(what),
            "process" => processes(what),
            "net" => network(what),
            "memory" => memory(what),
            _ => ends(what),
        }
    }

    pub(super) fn non_utf8_path() -> PathBuf {
        // SAFETY: WASI accepts any bytes in this encoding.
        unsafe { OsStr::from_encoded_bytes_unchecked(b"/tmp/\xff") }.into()
    }

    pub(super) fn keep_array(mib: u32) -> u64 {
        match mib {
            1 => keep_on_stack::<{ 1 << 20 }>(),
            2 => keep_on_stack::<{ 2 << 20 }>(),
            64 => keep_on_stack::<{ 64 << 20 }>(),
            _ => keep_on_stack::<{ 1000 << 20 }>(),
        }
    }

    #[inline(never)]
    fn keep_on_stack<const BYTES: usize>() -> u64 {
        let mut array = [1_u8; BYTES];
        std::hint::black_box(&mut array);
        array.iter().map(|&byte| u64::from(byte)).sum()
    }

    pub(super) fn read_nowhere(offset: i32) -> u8 {
        // SAFETY: none; the read must trap.
        unsafe { std::ptr::read_volatile(offset as usize as *const u8) }
    }

    pub(super) fn fill_beyond_memory() -> u8 {
        let mut bytes = vec![0_u8; 8];
        // SAFETY: none; the write must trap.
        unsafe { std::ptr::write_bytes(bytes.as_mut_ptr(), 1, std::hint::black_box(2 << 30)) };
        bytes[0]
    }

    fn nothing(_: impl Sized) -> String {
        String::new()
    }

    fn threads(what: &str) -> TextResult {
        match what {
            "spawn" => Ok(nothing(thread::spawn(|| 1).join())),
            "scope" => Ok(nothing(thread::scope(|scope| scope.spawn(|| 1).join().is_ok()))),
            "builder" => Ok(thread::Builder::new().spawn(|| 1).map(nothing)?),
            "parallelism" => Ok(thread::available_parallelism().map(nothing)?),
            "condvar" => {
                let mutex = Mutex::new(());
                Ok(nothing(Condvar::new().wait(mutex.lock().unwrap()).is_ok()))
            }
            "barrier" => Ok(nothing(Barrier::new(2).wait())),
            "mutex" => {
                let mutex = Mutex::new(());
                let first = mutex.lock();
                Ok(nothing((first.is_ok(), mutex.lock().is_ok())))
            }
            "recv" => {
                let (sender, receiver) = mpsc::channel::<u8>();
                let received = receiver.recv();
                drop(sender);
                Ok(nothing(received))
            }
            _ => {
                thread::park();
                thread::yield_now();
                Ok(format!("name {:?}", thread::current().name()))
            }
        }
    }

    fn parallel(what: &str) -> TextResult {
        let builder = || rayon::ThreadPoolBuilder::new().num_threads(1);
        match what {
            "pool" => Ok(builder().build().map(nothing)?),
            "own pool" => Ok(builder().use_current_thread().build().map(|_| "built".to_owned())?),
            _ => {
                let sum: u32 = (0..100).into_par_iter().sum();
                let (one, two) = rayon::join(|| 1, || 2);
                let mut three = 0;
                rayon::scope(|scope| scope.spawn(|_| three = 3));
                let threads = rayon::current_num_threads();
                Ok(format!("{sum} {one} {two} {three} on {threads} thread"))
            }
        }
    }

    fn files(what: &str) -> TextResult {
        let path = Path::new("/tmp/file");
        fs::write(path, "text")?;
        let file = File::options().read(true).write(true).open(path)?;
        let text = match what {
            "missing" => fs::read_to_string("/data/words").map(nothing)?,
            "root" => fs::read_dir("/").map(nothing)?,
            "read-only" => fs::write("/shown/file", "").map(nothing)?,
            "dots" => fs::read("/tmp/../tmp/file").map(nothing)?,
            "link" =>
            {
                #[expect(deprecated, reason = "std's own way to link for WASI")]
                fs::soft_link("/tmp/file", "/tmp/link").map(nothing)?
            }
            "temp_dir" => nothing(env::temp_dir()),
            "tempfile" => tempfile::tempfile().map(nothing)?,
            "tempfile by name" => {
                tempfile::tempfile_in("/tmp")?;
                tempfile::tempdir_in("/tmp")?;
                tempfile::NamedTempFile::new_in("/tmp")?;
                let _ = tempfile::env::override_temp_dir(Path::new("/tmp"));
                tempfile::tempfile().map(|_| "made".to_owned())?
            }
            "directory" => fs::read("/tmp").map(nothing)?,
            "try_clone" => file.try_clone().map(nothing)?,
            "lock" => file.lock().map(nothing)?,
            "try_lock" => file.try_lock().map(nothing)?,
            "try_lock, unwrapped" => nothing(file.try_lock().unwrap()),
            "unlock" => file.unlock().map(nothing)?,
            "set_permissions" => {
                fs::set_permissions(path, file.metadata()?.permissions()).map(nothing)?
            }
            "set_permissions of a file" => {
                file.set_permissions(file.metadata()?.permissions()).map(nothing)?
            }
            "readonly" => format!("readonly {}", file.metadata()?.permissions().readonly()),
            "no text" => File::open(non_utf8_path()).map(nothing)?,
            "before 1970" => {
                let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
                file.set_times(FileTimes::new().set_modified(before)).map(nothing)?
            }
            "mount" => {
                let removed = fs::remove_dir_all("/tmp");
                assert!(!path.exists(), "what is inside is gone");
                removed.map(nothing)?
            }
            _ => {
                env::set_current_dir("/tmp")?;
                assert_eq!(fs::read("file")?, b"text");
                env::set_current_dir("/").map(nothing)?
            }
        };
        Ok(format!("{text}, file {}", file.as_raw_fd() > 0))
    }

    fn environment(what: &str) -> TextResult {
        match what {
            "current_exe" => Ok(env::current_exe().map(nothing)?),
            "join_paths" => Ok(env::join_paths(["/a", "/b"]).map(nothing)?),
            "split_paths" => Ok(nothing(env::split_paths("/a:/b").count())),
            _ => {
                // SAFETY: the closure has one thread.
                unsafe { env::set_var("NEW", "value") };
                let input = io::read_to_string(io::stdin())?;
                let (home, new) = (env::home_dir(), env::var("NEW")?);
                let (os, arch) = (env::consts::OS, env::consts::ARCH);
                Ok(format!("{home:?} {new} {} {input:?} {os:?} {arch}", env::args().count()))
            }
        }
    }

    fn processes(what: &str) -> TextResult {
        match what {
            "id" => Ok(nothing(process::id())),
            "command" => Ok(process::Command::new("ls").output().map(nothing)?),
            "pipe" => Ok(io::pipe().map(nothing)?),
            "exit" => process::exit(0),
            _ => process::abort(),
        }
    }

    fn network(what: &str) -> TextResult {
        match what {
            "connect" => Ok(TcpStream::connect("1.1.1.1:80").map(nothing)?),
            "bind" => Ok(UdpSocket::bind("127.0.0.1:0").map(nothing)?),
            "name" => Ok("example.com:80".to_socket_addrs().map(nothing)?),
            _ => Ok(format!("{:?}", "1.1.1.1:80".to_socket_addrs()?.next())),
        }
    }

    fn memory(what: &str) -> TextResult {
        match what {
            "all" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(Vec::with_capacity(256 << 20)));
                }
            }
            _ => Ok(nothing(Vec::<u8>::with_capacity(std::hint::black_box(3 << 30)))),
        }
    }

    fn ends(what: &str) -> TextResult {
        match what {
            "panic" => panic!("no weights"),
            "caught" => Ok(nothing(panic::catch_unwind(|| panic!("no weights")).is_err())),
            "panic_any" => panic::panic_any(3),
            "resume" => panic::resume_unwind(Box::new("resumed")),
            "hook" => {
                panic::set_hook(Box::new(|_| ()));
                panic!("unseen")
            }
            "chained hook" => {
                let hype = panic::take_hook();
                panic::set_hook(Box::new(move |panic| hype(panic)));
                panic!("seen")
            }
            "backtrace" => Ok(std::backtrace::Backtrace::force_capture().to_string()),
            "cycle" => Err(Box::new(Ouroboros)),
            _ => Ok(chrono::Local::now().offset().to_string()),
        }
    }

    /// An error that is its own cause.
    #[derive(Debug)]
    struct Ouroboros;

    static OUROBOROS: Ouroboros = Ouroboros;

    impl std::fmt::Display for Ouroboros {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bitten")
        }
    }

    impl std::error::Error for Ouroboros {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&OUROBOROS)
        }
    }
}
