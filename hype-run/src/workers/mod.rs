//! Worker processes: a call of a guest in a process of its own, which runs machine code without interruption checks.
//!
//! Only the end of a worker stops its guest: the program kills it at the deadline or on cancel, and another one takes
//! its place. `docs/decisions/workers.md` describes the design.
//!
//! In the program:
//! - `pool`: the workers of a program. `choice`: the choice of one for a call.
//! - `job`: a job for workers, and its calls. `call`: one call in a worker. `progress`: what it has sent so far.
//!   `batch_call`: the calls of a batch.
//! - `fork_server`: starts the fork server, loads components there, and requests workers. `server_state`: the decision to
//!   start it again.
//! - `launch`: the system calls that start the fork server. `worker_program`: another program that serves as it.
//!   `abandoned`: the directories that a killed one leaves.
//! - `brokers`: exercise the powers of a worker's guest. `broker`: makes its HTTP requests. `upload`: their bodies.
//!   `command_broker`: starts its commands. `call_commands`: their room.
//!
//! In the other processes:
//! - `entry`: takes over the new process before `main`.
//! - `server`: the fork server. It loads components, and forks a worker for each job. `children`: its workers.
//!   `memory`: the memory that they use.
//! - `worker`: the loop of a worker. `stop`: its end at a deadline, with the guest's stack. `wall`: what it gives up before it runs anything. `seccomp`: its system calls.
//! - `incoming`: receives the program's messages to the guest. `http_client`: passes its HTTP requests on to the program.
//!   `download`: their responses. `command_client`: passes its commands on.
//!
//! In all:
//! - `native`: a hook of tests, which runs native code in a worker.
//! - `channel`: a socket that keeps the boundaries of messages. `message`: the messages; those of workers are in
//!   [`hype_wire::worker`]. `batch`: those with several calls. `http_error`: the errors of HTTP requests in them.

mod abandoned;
mod argument_stream;
mod batch;
mod batch_call;
mod broker;
mod brokers;
mod call;
mod call_commands;
mod channel;
mod children;
mod choice;
mod command_broker;
mod command_client;
mod download;
mod entry;
mod fork_server;
mod http_client;
mod http_error;
mod incoming;
mod job;
mod launch;
mod memory;
mod message;
#[cfg(test)]
mod native;
mod passed_value;
mod pool;
mod progress;
mod seccomp;
mod server;
mod server_state;
mod stop;
mod upload;
mod wall;
mod worker;
mod worker_end;
mod worker_program;

pub(crate) use fork_server::WorkerCode;
pub(crate) use job::{Rest, WorkerJob};
pub(crate) use pool::Workers;
