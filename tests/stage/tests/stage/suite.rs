//! The conformance suite on each backend, and a check that the suite is complete.

mod file {
    test_stage::suite!(test_stage::backends::file);
}

mod memory {
    test_stage::suite!(test_stage::backends::memory);
}

mod gcs {
    test_stage::suite!(test_stage::backends::gcs);
}

mod s3 {
    test_stage::suite!(test_stage::backends::s3);
}

mod azure {
    test_stage::suite!(
        test_stage::backends::azure,
        #[ignore = "needs a server that speaks Azure: tests/end-to-end/azure starts one"]
    );
}

/// A case that [`test_stage::suite!`] doesn't list would never run.
#[test]
fn every_case_is_in_the_suite() {
    let suite = include_str!("../../src/lib.rs");
    let listed: Vec<_> = suite.split([' ', '\n', ';']).collect();
    for module in [include_str!("../../src/blobs.rs"), include_str!("../../src/objects.rs")] {
        let cases = module.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name) {
            assert!(listed.contains(&case), "{case} is missing in test_stage::suite!");
        }
    }
}
