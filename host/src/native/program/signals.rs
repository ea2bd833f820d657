//! Signals that end a program: SIGINT from Ctrl-C, and SIGTERM, which stops containers.

use hype_wire::exit_status::INTERRUPTED;
#[cfg(unix)]
use hype_wire::exit_status::TERMINATED;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this program receives.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Registers handlers of the signals, so that the signals don't end this process any more. Must be called inside a
    /// runtime.
    pub(crate) fn register() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal, and returns its exit status.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }

    /// Waits for the next signal, and returns its exit status.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            // Signals cannot be received.
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}
