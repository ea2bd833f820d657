//! What tells a program to end: Ctrl-C, and SIGTERM, by which containers are ended.

use hype_wire::exit_status::INTERRUPTED;
#[cfg(unix)]
use hype_wire::exit_status::TERMINATED;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this program is sent, from now on.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Takes the signals, inside a runtime; they don't end this program by themselves any more.
    pub(crate) fn take() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next, and gives the exit status that goes with it.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits for the next, and gives the exit status that goes with it.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nobody can tell.
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}
