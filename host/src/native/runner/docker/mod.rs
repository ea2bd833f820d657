//! Runs closures in containers of a Docker daemon, one each.
//!
//! What is decided is in pure functions: where the daemon is ([`endpoint`]), how a container reaches
//! the stage ([`reach`]), what it is made of ([`container`], [`limits`]), what its end means ([`end`]).
//! What talks to the daemon: [`daemon`], [`image`], [`volumes`], [`run`] and [`leftovers`].

mod archive;
mod container;
mod daemon;
mod end;
mod endpoint;
mod following;
mod image;
mod key_files;
mod leftovers;
mod limits;
mod machine;
mod patience;
mod reach;
mod run;
mod runner;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scripted;
mod volumes;

pub use runner::DockerRunner;
