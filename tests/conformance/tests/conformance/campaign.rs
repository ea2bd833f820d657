//! Campaigns: programs that are killed, told to end or attached to at random moments on each runner. Each run has one
//! end, what remains is what the pages say, and a collection removes the rest.
//!
//! Where containers and Pods expire, `faketime` lets a collection come a week later. Few rounds are run unless
//! `HYPE_CAMPAIGN_ROUNDS` says how many; `HYPE_CAMPAIGN_SEED` repeats the moments of a campaign:
//!
//! `HYPE_CAMPAIGN_ROUNDS=100 cargo test -p conformance --test conformance campaign::local -- --include-ignored --nocapture`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attachers;
mod docker;
mod expected;
mod kills;
mod kubernetes;
mod lanes;
mod moments;
mod outcome;
mod place;
mod program;
mod remains;
mod signals;
mod table;

use place::Place;

/// Makes a test of each campaign, on the runner that `$place` names. An attribute behind it is that of each test.
macro_rules! campaigns {
    ($module:ident, $place:expr $(, #[$attribute:meta])?) => {
        mod $module {
            use super::*;

            #[test]
            $(#[$attribute])?
            fn killed_programs_leave_one_outcome() {
                kills::run($place);
            }

            #[test]
            $(#[$attribute])?
            fn programs_that_are_told_to_end_leave_nothing() {
                signals::run($place);
            }

            #[test]
            $(#[$attribute])?
            fn attachers_get_one_outcome() {
                attachers::run($place);
            }
        }
    };
}

campaigns!(local, Place::Local);
campaigns!(
    in_docker,
    Place::Docker,
    #[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
);
campaigns!(
    in_kubernetes,
    Place::Kubernetes,
    #[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
);
