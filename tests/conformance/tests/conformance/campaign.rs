//! Campaigns: programs that are killed, signalled, attached to, listed or cancelled at random moments, on each runner. Each run must
//! have one end, leave only what the documentation lists, and garbage collection must remove the rest.
//!
//! Containers and Pods expire, so collection runs under `faketime`, a week later. `HYPE_CAMPAIGN_ROUNDS` sets the
//! number of rounds (few by default); `HYPE_CAMPAIGN_SEED` repeats the moments of a campaign:
//!
//! ```sh
//! HYPE_CAMPAIGN_ROUNDS=100 cargo test -p conformance campaign::local -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attachers;
mod commands;
mod docker;
mod expected;
mod kills;
mod kubernetes;
mod lanes;
mod moments;
mod outcome;
mod program;
mod remains;
mod signals;
mod site;
mod table;

use site::RunnerKind;

/// Defines a test for each campaign on the runner `$runner`. An attribute after it is put on each test.
macro_rules! campaigns {
    ($module:ident, $runner:expr $(, #[$attribute:meta])?) => {
        mod $module {
            use super::*;

            #[test]
            $(#[$attribute])?
            fn run_of_killed_program_has_one_outcome() {
                kills::run($runner);
            }

            #[test]
            $(#[$attribute])?
            fn signalled_program_removes_its_runs() {
                signals::run($runner);
            }

            #[test]
            $(#[$attribute])?
            fn attachers_receive_one_outcome() {
                attachers::run($runner);
            }

            #[test]
            $(#[$attribute])?
            fn concurrent_commands_report_the_truth() {
                commands::run($runner);
            }
        }
    };
}

campaigns!(local, RunnerKind::Local);
campaigns!(
    in_docker,
    RunnerKind::Docker,
    #[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
);
campaigns!(
    in_kubernetes,
    RunnerKind::Kubernetes,
    #[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
);
