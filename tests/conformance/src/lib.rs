//! What every runner must do, as functions over a [`Submitter`].
//!
//! A runner's test file calls [`suite!`] with a way to its submitter; each case becomes a test. This
//! is the only place for tests of behaviour: what is tested here holds wherever closures run.

#![expect(missing_docs, reason = "each case's name says what it does")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking")]

pub mod alone;
pub mod commands;
pub mod determinism;
pub mod disturbed;
pub mod documented;
pub mod ends;
pub mod http;
pub mod left;
pub mod loopback;
pub mod runs;
pub mod surroundings;
pub mod told;
pub mod values;

use std::sync::OnceLock;

use cargo_hype::build::build_all;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;
use hype::{Error, Failure, FailureKind, Submitter};

/// Makes a test of each case, for the submitter that `$submitter` gives. An attribute behind it is that
/// of each test: `#[ignore = "needs .."]`.
#[macro_export]
macro_rules! suite {
    ($submitter:expr $(, #[$attribute:meta])?) => {
        $crate::suite! { @ $submitter, [$(#[$attribute])?];
            values {
                text no_arguments_and_no_value twelve_arguments everything_that_serde_knows what_serde_buffers
                what_could_not_be_read_is_refused_where_it_is_made bytes bytes_in_pieces
                more_than_travels_along a_result_of_200_mib composition a_dependency_has_its_own_component
                recursion names_may_be_shared_by_crates ten_at_once a_value_that_nests_deep
                a_component_by_hand
            }
            ends {
                function_error function_error_of_anyhow function_error_of_io success_of_a_fallible
                panic panic_in_the_standard_library trap stack_overflow exit
                memory memory_refused_and_not_needed deadline_while_computing
                deadline_while_waiting a_timeout_that_no_clock_reaches incompatible_argument incompatible_count
                a_value_of_another_type a_submitter_outlives_failures
            }
            runs {
                a_run_goes_on_by_itself output_is_followed_while_it_runs
                both_streams_are_told_apart what_a_closure_logs_is_output
                what_a_terminal_would_obey_is_not_shown
                a_cancelled_run_does_no_more a_dropped_run_does_no_more
                a_detached_run_can_be_collected a_run_can_be_attached_before_it_ends
                a_run_that_ended_can_be_detached who_attaches_to_anothers_run_leaves_it_to_them
                a_run_on_a_transient_volume_stays_attached what_is_no_run_is_said_at_once
                a_run_can_be_detached_while_it_is_staged a_run_that_cannot_be_staged_cannot_be_detached
                who_attached_leaves_the_run_on_an_error_or_a_drop one_of_two_who_attach_may_be_too_late
                an_attached_run_can_be_cancelled
            }
            determinism {
                runs_of_one_seed_are_alike files_of_a_seed_tell_no_times
                a_loop_that_waits_for_a_seeds_clock_ends a_sleep_under_a_seed_is_over_at_once
            }
            http {
                a_request_that_nothing_grants_ends_the_closure metadata_is_out_of_reach
                what_cannot_be_granted_is_said_at_once an_answer_is_read_whatever_its_status
                json_goes_and_comes bodies_stream_both_ways redirects_are_followed_where_they_are_granted
                a_port_and_a_scheme_that_are_not_named_are_not_granted a_header_holds_no_other
                a_host_that_says_nothing_is_not_waited_for
            }
            commands {
                a_command_that_nothing_grants_ends_the_closure what_is_not_there_is_an_error
                a_command_says_what_it_has_to_say a_commands_output_may_be_the_closures
                both_outputs_are_read_at_once many_commands_one_after_the_other what_streams_takes_no_memory
                a_commands_variables_are_the_closures variables_that_lead_to_other_programs_are_refused
                mounts_are_at_their_paths ten_commands_read_at_once
                a_program_of_a_closures_own_is_not_started a_command_has_three_descriptors
                variables_of_the_first_process_are_out_of_reach a_command_gets_no_new_rights
                a_command_can_be_ended commands_at_once_are_bounded
                a_closure_needn_t_wait_for_its_commands nothing_is_left_at_the_deadline
            }
            surroundings {
                variables_are_those_named nothing_else a_hint_tells_how_files_are_shown files directories
                a_directory_of_many_files what_cannot_be_staged_is_named mounts tmp_is_empty_and_writable
                attempts_are_counted no_network output_is_no_value
                a_volume_outlives_its_writer ten_readers_at_once
            }
        }
    };
    (@ $submitter:expr, $attributes:tt; $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            use super::*;

            $($crate::suite! { @case $submitter, $attributes, $module, $case })*
        }
    )*};
    (@case $submitter:expr, [$($attribute:tt)*], $module:ident, $case:ident) => {
        #[test]
        $($attribute)*
        fn $case() {
            $crate::run(|| $submitter, $crate::$module::$case);
        }
    };
}

/// Runs one case, once the components of the guests are built.
///
/// # Panics
///
/// When the case fails, or there is no submitter to be had.
pub fn run(
    submitter: impl FnOnce() -> hype::Result<Submitter>,
    case: impl AsyncFnOnce(&Submitter),
) {
    build_guests();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let submitter = submitter().expect("a submitter");
    runtime.block_on(case(&submitter));
}

/// Builds the components of the test guests, once a process.
///
/// # Panics
///
/// When they don't compile.
pub fn build_guests() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let project = Project::at(root.as_ref()).expect("this workspace");
        let packages = ["test-guests", "test-library"].map(str::to_owned);
        let packages = project.select(&packages).expect("the guests");
        build_all(&project, &packages, &Selection::default()).expect("components of the guests");
    });
}

/// The failure in `result`, which must be of `kind`.
fn failure<T: std::fmt::Debug>(result: hype::Result<T>, kind: FailureKind) -> (Error, Failure) {
    let error = result.expect_err("the closure must fail");
    let failure = error.failure().unwrap_or_else(|| panic!("no failure: {error:?}")).clone();
    assert_eq!(failure.kind, kind, "{error:?}");
    eprintln!("---8<---\n{}\n--->8---", error.report());
    (error, failure)
}

/// Whether a frame of the guest's backtrace is in the function `name`.
fn passes_through(failure: &Failure, name: &str) -> bool {
    failure.backtrace.iter().any(|frame| frame.function.contains(name))
}
