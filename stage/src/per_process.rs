//! Values that each process creates for itself, also a fork of a process that has created one.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A static value that belongs to one process, such as threads or a permit. A fork of the process has a copy of its
/// memory, but none of its threads, so that the copy may never end what it waits for. It therefore gets a value of its own.
///
/// ```
/// use std::sync::Mutex;
/// use hype_stage::PerProcess;
///
/// static TURN: PerProcess<Mutex<()>> = PerProcess::new(Mutex::default);
/// assert!(TURN.get().try_lock().is_ok());
/// ```
#[derive(Debug)]
pub struct PerProcess<T: 'static> {
    create: fn() -> T,
    /// The value of the process that asked last, or null. It is never freed: a copy may be in use.
    current: AtomicPtr<Owned<T>>,
}

/// The value of a process.
#[derive(Debug)]
struct Owned<T> {
    process: u32,
    value: OnceLock<T>,
}

impl<T: Send + Sync> PerProcess<T> {
    /// Returns a value that `create` creates in each process when it is first used there.
    pub const fn new(create: fn() -> T) -> Self {
        Self { create, current: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Returns the value of this process. It takes no lock, which another thread could have held during the fork.
    pub fn get(&'static self) -> &'static T {
        self.of(std::process::id())
    }

    fn of(&'static self, process: u32) -> &'static T {
        let mut current = self.current.load(Ordering::Acquire);
        loop {
            // SAFETY: the pointer is null or comes from `Box::into_raw`, and nothing frees it.
            match unsafe { current.as_ref() } {
                Some(owned) if owned.process == process => {
                    return owned.value.get_or_init(self.create);
                }
                _ => {}
            }
            let new = Box::into_raw(Box::new(Owned { process, value: OnceLock::new() }));
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            current = match self.current.compare_exchange(current, new, success, failure) {
                Ok(_) => new,
                Err(other) => {
                    // SAFETY: no other thread has seen the new value.
                    drop(unsafe { Box::from_raw(new) });
                    other
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_process_has_one_value() {
        static VALUE: PerProcess<Mutex<u32>> = PerProcess::new(Mutex::default);
        let threads = [(); 8].map(|()| std::thread::spawn(|| *VALUE.get().lock().unwrap() += 1));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let parent = VALUE.get().lock().unwrap();
        assert_eq!(*parent, 8);
        // The lock that the parent holds is not the child's.
        assert_eq!(*VALUE.of(0).lock().unwrap(), 0);
    }
}
