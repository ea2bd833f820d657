//! A stage that demands a token: `hype-run` has it, and its guest hasn't.

use super::program::{GuardedBucket, printed};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn the_stages_secret_opens_it_for_hype_run_alone() {
    let bucket = GuardedBucket::new();
    let without = bucket.program().arg("look").output().unwrap();
    let told = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(3), "{told}");
    assert!(told.contains("-1 could leave no outcome (status 3)"), "{told}");
    assert!(told.contains("error: no outcome of run "), "{told}");
    assert!(told.contains("with_stage_secret"), "{told}");

    let with = bucket
        .program()
        .arg("look")
        .env("HYPE_TEST_STAGE_SECRET", &bucket.secret)
        .output()
        .unwrap();
    let printed = printed(&with);
    assert!(!printed[0].contains("GOOGLE_APPLICATION_CREDENTIALS"), "{printed:?}");
    assert!(printed[1].contains("closure `list` failed"), "{printed:?}");
}
