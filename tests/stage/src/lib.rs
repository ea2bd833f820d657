//! The conformance suite of stages: cases as functions over a [`Stage`](hype_stage::Stage), and backends.
//!
//! To test a provider, call [`suite!`] with a function that opens a new stage.

#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod backends;
pub mod blobs;
pub mod bytes;
pub mod objects;
pub mod s3;

/// Generates a test with these attributes for each case. `$open` returns a new [`backends::Backend`].
#[macro_export]
macro_rules! suite {
    ($open:expr $(, #[$attribute:meta])*) => {
        $crate::suite!(@tests [$(#[$attribute])*] $open;
            blobs: blob_is_uploaded_once empty_blob_round_trips large_blob_round_trips
                file_round_trips changed_file_is_rejected
                blob_is_saved_to_a_private_file blob_fills_an_open_file
                altered_blob_is_not_saved
                truncated_blob_is_uploaded_again altered_blob_is_rejected
                blob_of_wrong_size_is_rejected missing_blob_is_named
                size_beyond_memory_is_rejected
                concurrent_uploads_of_one_blob_succeed progress_ends_with_the_size;
            objects: last_write_is_read first_creation_wins
                one_concurrent_creation_wins repeated_creation_counts_as_new
                run_removal_spares_other_runs run_removal_is_idempotent
                object_keeps_its_name large_object_replaces_a_small_one
                copy_has_the_same_bytes copy_of_missing_object_is_named;
        );
    };
    (@tests $attributes:tt $open:expr; $($module:ident: $($case:ident)*;)*) => {$(
        mod $module {
            use super::*;
            $($crate::suite!(@test $attributes $open, $module, $case);)*
        }
    )*};
    (@test [$(#[$attribute:meta])*] $open:expr, $module:ident, $case:ident) => {
        #[test]
        $(#[$attribute])*
        fn $case() {
            $crate::backends::run($open, $crate::$module::$case);
        }
    };
}
