//! The place where calls run: this process or worker processes.

use hype_wire::Powers;

use super::Executor;
use crate::engine::CodeKind;
#[cfg(target_os = "linux")]
use crate::workers::Workers;

impl Executor {
    /// Returns the kind of machine code for calls with these grants. Waits until it is known whether this program can have
    /// worker processes, and starts what they need.
    pub async fn code_kind(&self, powers: &Powers) -> CodeKind {
        #[cfg(target_os = "linux")]
        if self.workers_for(powers).await.is_some() {
            return CodeKind::Unchecked;
        }
        #[cfg(not(target_os = "linux"))]
        let _ = powers;
        self.own_kind()
    }

    /// Returns the kind of machine code for calls in this process.
    pub(crate) fn own_kind(&self) -> CodeKind {
        self.embedding.kind()
    }

    /// Returns whether a guest in this process has a thread of its own.
    #[cfg(target_os = "linux")]
    pub(crate) fn has_guest_thread(&self) -> bool {
        self.is_single_call && self.own_kind() == CodeKind::Unchecked
    }

    /// Returns the kind of machine code for calls with these grants if it is known, without starting anything.
    pub fn known_code_kind(&self, powers: &Powers) -> Option<CodeKind> {
        #[cfg(target_os = "linux")]
        if let Some(workers) = &self.workers {
            let is_known = workers.has_started() && powers.commands.is_empty();
            return is_known.then_some(CodeKind::Unchecked);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = powers;
        Some(self.own_kind())
    }

    /// Returns the reason why all calls stay in this process, or `None` if workers make calls. Starts what workers need.
    pub async fn worker_refusal(&self) -> Option<String> {
        #[cfg(target_os = "linux")]
        if let Some(workers) = &self.workers {
            return workers.refusal().await;
        }
        let reason = match cfg!(target_os = "linux") {
            true => "its executor was created without worker processes",
            false => "only Linux has worker processes",
        };
        Some(reason.to_owned())
    }

    /// Returns the worker processes, if calls with these grants run there.
    #[cfg(target_os = "linux")]
    pub(crate) async fn workers_for(&self, powers: &Powers) -> Option<&Workers> {
        let workers = self.workers.as_ref()?;
        workers.can_run(powers, self.commands).await.then_some(workers)
    }
}
