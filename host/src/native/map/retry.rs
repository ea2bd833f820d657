//! The decision to run an item of a map again, by the class of its failure.

use std::time::Duration;

use hype_wire::{Access, Failure, FailureKind};

use crate::environment::RunEnvironment;
use crate::run::attempts::backoff;

/// The number of retries after failures of the infrastructure, if a retry can't repeat an effect.
const HARMLESS_RETRIES: u32 = 3;

/// The retries that the user asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetryOptions {
    /// The maximum number of retries after an error of the function itself.
    pub(crate) errors: u32,
    /// The maximum memory of a retry after an item exceeded its own, in bytes.
    pub(crate) max_memory: Option<u64>,
}

/// The remaining retries of an item.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    options: RetryOptions,
    infrastructure: u32,
    /// Whether the item is lost, instead of failed, if the infrastructure fails: it may have had an effect, and the user
    /// asked for no retries.
    loses: bool,
    memory: Option<u64>,
    made: u32,
}

/// The step after a failure of an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt after a delay, with this memory limit if it is another one.
    Retry { delay: Duration, memory: Option<u64> },
    /// The failure is the item's end.
    Fail,
    /// The item may have run, and must not run twice.
    Lose,
}

impl Retries {
    /// Returns the retries of each item in `env`.
    pub(crate) fn new(options: &RetryOptions, env: &RunEnvironment) -> Self {
        let has_effects = has_effects(env);
        Self {
            options: options.clone(),
            infrastructure: infrastructure_retries(env),
            loses: has_effects && env.retries() == 0,
            memory: env.memory(),
            made: 0,
        }
    }

    /// Returns whether an item whose process is lost must not run again.
    #[cfg(feature = "docker")]
    pub(crate) fn loses(&self) -> bool {
        self.loses
    }

    /// Decides what follows `failure`, and counts the retry.
    pub(crate) fn after(&mut self, failure: &Failure) -> Next {
        let class = match failure.kind {
            kind if kind.is_infrastructure() && self.loses => return Next::Lose,
            kind if kind.is_infrastructure() => Some(&mut self.infrastructure),
            FailureKind::Memory => return self.after_memory(),
            FailureKind::Function | FailureKind::Exit | FailureKind::Panic | FailureKind::Trap => {
                Some(&mut self.options.errors)
            }
            _ => None,
        };
        match class {
            Some(left) if *left > 0 => {
                *left -= 1;
                self.made += 1;
                Next::Retry { delay: backoff(self.made), memory: None }
            }
            _ => Next::Fail,
        }
    }

    fn after_memory(&mut self) -> Next {
        let (Some(memory), Some(max)) = (self.memory, self.options.max_memory) else {
            return Next::Fail;
        };
        let doubled = memory.saturating_mul(2).min(max);
        if doubled <= memory {
            return Next::Fail;
        }
        self.memory = Some(doubled);
        Next::Retry { delay: Duration::ZERO, memory: self.memory }
    }
}

/// Returns the number of retries of an item in `env` after failures of the infrastructure.
pub(crate) fn infrastructure_retries(env: &RunEnvironment) -> u32 {
    match has_effects(env) {
        true => env.retries(),
        false => env.retries().max(HARMLESS_RETRIES),
    }
}

/// Returns whether a function in `env` can change anything outside.
pub(crate) fn has_effects(env: &RunEnvironment) -> bool {
    let writes = env.mounts().iter().any(|mount| mount.access == Access::ReadWrite);
    writes || env.http().next().is_some() || !env.commands().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::HostDirectory;

    fn after(retries: &mut Retries, kind: FailureKind) -> Next {
        retries.after(&Failure::new(kind, "failed"))
    }

    fn again(seconds: u64) -> Next {
        Next::Retry { delay: Duration::from_secs(seconds), memory: None }
    }

    #[test]
    fn infrastructure_is_retried_where_nothing_happens_twice() {
        let env = RunEnvironment::new();
        let ends = |env: &RunEnvironment| {
            let mut retries = Retries::new(&RetryOptions::default(), env);
            [(); 4].map(|()| after(&mut retries, FailureKind::Infrastructure))
        };
        assert_eq!(ends(&env), [again(1), again(2), again(4), Next::Fail]);
        assert_eq!(ends(&env.with_retries(1)), ends(&env));
        let directory = HostDirectory::new("/data");
        assert_eq!(ends(&env.with_mount(directory.mount_read_only("/data"))), ends(&env));
        for env in [
            env.with_mount(directory.mount_read_write("/data")),
            env.allow_http("example.com"),
            env.allow_command("ls"),
        ] {
            assert_eq!(ends(&env), [(); 4].map(|()| Next::Lose));
            let asked = env.with_retries(2);
            assert_eq!(ends(&asked), [again(1), again(2), Next::Fail, Next::Fail]);
        }
    }

    #[test]
    fn errors_of_the_function_are_retried_only_if_asked_for() {
        use FailureKind::{Deadline, Function, Panic, Power};
        let env = RunEnvironment::new();
        let mut retries = Retries::new(&RetryOptions::default(), &env);
        assert_eq!(after(&mut retries, Function), Next::Fail);
        let mut retries = Retries::new(&RetryOptions { errors: 2, max_memory: None }, &env);
        assert_eq!(after(&mut retries, Deadline), Next::Fail);
        assert_eq!(after(&mut retries, Power), Next::Fail);
        assert_eq!(after(&mut retries, Function), again(1));
        assert_eq!(after(&mut retries, Panic), again(2));
        assert_eq!(after(&mut retries, Panic), Next::Fail);
    }

    #[test]
    fn memory_doubles_up_to_the_maximum() {
        let limits = |memory: Option<u64>, max_memory| {
            let env = RunEnvironment::new();
            let env = memory.map_or(env.clone(), |bytes| env.with_memory(bytes));
            let mut retries = Retries::new(&RetryOptions { errors: 9, max_memory }, &env);
            [(); 3].map(|()| match after(&mut retries, FailureKind::Memory) {
                Next::Retry { memory, .. } => memory,
                _ => None,
            })
        };
        assert_eq!(limits(Some(100), Some(300)), [Some(200), Some(300), None]);
        assert_eq!(limits(Some(100), Some(100)), [None; 3]);
        assert_eq!(limits(Some(100), None), [None; 3]);
        assert_eq!(limits(None, Some(100)), [None; 3]);
    }
}
