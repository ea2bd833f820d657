//! Attacks on an executor: hostile guests, altered machine code, a poisoned cache and hostile HTTP servers.

mod artefacts;
mod attacks;
#[cfg(target_os = "linux")]
mod batches;
mod cache;
mod compiling;
mod exports;
mod files;
mod floods;
#[cfg(target_os = "linux")]
mod forks;
mod held;
mod http;
mod neighbours;
mod random;
mod threads;
mod values;
#[cfg(target_os = "linux")]
mod worker_kills;
#[cfg(target_os = "linux")]
mod worker_processes;
#[cfg(target_os = "linux")]
mod worker_program;
#[cfg(target_os = "linux")]
mod worker_starts;
#[cfg(target_os = "linux")]
mod workers;
