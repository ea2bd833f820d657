//! A stage that requires credentials: `hype-run` has them, its guest doesn't.

use super::program::{GuardedBucket, printed};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn stage_secret_is_used_by_hype_run_only() {
    let bucket = GuardedBucket::new();
    let without = bucket.program().arg("look").output().unwrap();
    let stderr = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("-1 could not write its outcome (status 3)"), "{stderr}");
    assert!(stderr.contains("error: no outcome of run "), "{stderr}");
    assert!(stderr.contains("with_stage_secret"), "{stderr}");

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
