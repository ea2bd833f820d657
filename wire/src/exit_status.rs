//! Exit statuses of hype's programs, and of programs that a signal ends.
//!
//! | status | a program that submits, `cargo hype` | `hype-run` |
//! |---|---|---|
//! | 0 | success | an outcome was written, whether a value or a failure |
//! | 1 | the closure failed | |
//! | 2 | wrong usage or input | wrong usage |
//! | 3 | the machinery failed | no outcome could be written |
//! | 4 | | this attempt was started before, and nothing ran |
//! | 130, 137, 143 | SIGINT, SIGKILL, SIGTERM | SIGINT, SIGKILL, SIGTERM |

/// Success. For `hype-run`: an outcome was written, whether a value or a failure.
pub const SUCCESS: u8 = 0;

/// The closure failed.
pub const FAILED: u8 = 1;

/// The command line or the input was wrong.
pub const WRONG_USAGE: u8 = 2;

/// The machinery around the closure failed: the stage, the runner or this machine.
pub const MACHINERY: u8 = 3;

/// `hype-run` could not write an outcome.
pub const NO_OUTCOME: u8 = MACHINERY;

/// `hype-run` ran nothing, because its attempt was started before.
pub const STARTED_BEFORE: u8 = 4;

/// SIGINT ended the program, as after Ctrl-C.
pub const INTERRUPTED: u8 = 128 + 2;

/// SIGKILL ended the program: sent by a user, or by the system when memory ran out.
pub const KILLED: u8 = 128 + 9;

/// SIGTERM ended the program, as when a container is stopped.
pub const TERMINATED: u8 = 128 + 15;
