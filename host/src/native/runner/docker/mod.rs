//! Runs each closure in its own container of a Docker daemon.
//!
//! Pure functions decide: the daemon's address ([`endpoint`]), the container's access to the stage
//! ([`stage_access`]), its definition ([`container`], [`limits`]), and the meaning of its end ([`end`]). I/O with the
//! daemon is in [`daemon`], [`image`], [`volumes`], [`run`], [`item_container`], [`removal`], [`foreign_run`],
//! [`leftovers`] and [`check`]. [`item_output`] splits the output of a container by its items.

mod archive;
mod check;
mod collection;
mod container;
mod daemon;
mod end;
mod endpoint;
#[cfg(test)]
mod fake_daemon;
mod foreign_run;
mod image;
mod item_container;
mod item_output;
mod key_files;
mod leftovers;
mod limits;
mod log_copy;
mod machine;
mod output;
mod processes;
mod removal;
mod retry;
mod run;
mod runner;
#[cfg(test)]
mod scenarios;
mod stage_access;
mod stage_mounts;
mod volumes;

pub use runner::DockerRunner;
