//! What every stage must do, as functions over a [`Stage`](hype_stage::Stage), and the stages on
//! which that is checked.
//!
//! A provider passes the suite by calling [`suite!`] with what opens a stage of its own.

#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod backends;
pub mod blobs;
pub mod bytes;
pub mod objects;
pub mod s3;

/// Makes a test of each case, with these attributes. `$open` gives a stage and what it needs to live.
#[macro_export]
macro_rules! suite {
    ($open:expr $(, #[$attribute:meta])*) => {
        $crate::suite!(@tests [$(#[$attribute])*] $open;
            blobs: a_blob_is_uploaded_once an_empty_blob_is_one_too a_large_blob_comes_back
                a_file_is_staged_like_its_bytes a_file_that_changed_is_not_staged
                a_blob_is_saved_to_a_file a_file_is_filled_with_a_blob
                what_is_not_the_blob_is_not_saved
                a_cut_blob_is_uploaded_again an_altered_blob_is_refused
                a_blob_of_another_size_is_refused a_missing_blob_is_named
                a_size_beyond_all_memory_is_refused
                one_blob_is_staged_by_many_at_once progress_ends_with_the_size;
            objects: what_is_written_is_read the_first_creation_stays
                one_of_many_creations_wins a_creation_that_was_ours_is_ours
                a_run_is_removed_whole_and_alone a_run_is_removed_twice
                names_are_those_that_were_asked_for a_large_object_is_put_over_another;
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
