//! Exit statuses of hype's programs, and those that systems give in their place.
//!
//! | status | a program that submits, `cargo hype` | `hype-run` |
//! |---|---|---|
//! | 0 | it did what was asked | an outcome was written, whatever it is |
//! | 1 | the closure failed | |
//! | 2 | wrong usage or input | wrong usage |
//! | 3 | the machinery failed | no outcome could be written |
//! | 4 | | this attempt was started before, and nothing ran |
//! | 130, 137, 143 | SIGINT, SIGKILL, SIGTERM | SIGINT, SIGKILL, SIGTERM |

/// All went well. Of `hype-run`: an outcome was written, whatever it is.
pub const SUCCESS: u8 = 0;

/// The closure failed.
pub const FAILED: u8 = 1;

/// The command line or the input was wrong.
pub const WRONG_USAGE: u8 = 2;

/// The machinery around the closure failed: a stage, a runner, this machine.
pub const MACHINERY: u8 = 3;

/// `hype-run` could leave no outcome.
pub const NO_OUTCOME: u8 = MACHINERY;

/// `hype-run` ran nothing, since it isn't the first start of its attempt.
pub const STARTED_BEFORE: u8 = 4;

/// The program was ended by SIGINT, which Ctrl-C sends.
pub const INTERRUPTED: u8 = 128 + 2;

/// The program was killed by SIGKILL: by a person, or for want of memory.
pub const KILLED: u8 = 128 + 9;

/// The program was ended by SIGTERM, by which containers are stopped.
pub const TERMINATED: u8 = 128 + 15;
