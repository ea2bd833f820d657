//! Volumes as claims of a real storage class.

use futures::future::try_join_all;
use hype::{RunEnvironment, VolumeRequest};
use test_guests::surroundings::{read, write};

use super::cluster::{AppliedYaml, assert_claim_goes, kubectl_output, kubernetes, wait};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn submitter_removes_transient_volume() {
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let claims =
        || kubectl_output(&["get", "pvc", volume.name(), "--ignore-not-found", "-o", "name"]);
    let env = RunEnvironment::new();
    let submitter = kubernetes().unwrap();
    wait(async {
        let writer = env.with_mount(volume.mount_read_write("/volume"));
        submitter.submit(write("/volume/word".into(), "one".into()), &writer).await.unwrap();
        assert_eq!(claims(), format!("persistentvolumeclaim/{}", volume.name()));
        let reader = env.with_mount(volume.mount_read_only("/volume"));
        let readers = (0..10).map(|_| submitter.submit(read("/volume/word".into()), &reader));
        assert_eq!(try_join_all(readers).await.unwrap(), ["one"; 10]);
        submitter.close().await.unwrap();
    });
    assert_claim_goes(volume.name());
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn persistent_volume_is_found_again() {
    let _claim = AppliedYaml::new(
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: models}, spec: \
         {storageClassName: local-disk, accessModes: [ReadWriteOnce], \
         resources: {requests: {storage: 10Mi}}}}",
    );
    let volume = VolumeRequest::persistent("models", "local-disk", "10Mi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/models"));
    wait(async {
        let submitter = kubernetes().unwrap();
        submitter.submit(write("/models/word".into(), "one".into()), &env).await.unwrap();
        submitter.close().await.unwrap();
        let submitter = kubernetes().unwrap();
        let word = submitter.submit(read("/models/word".into()), &env).await.unwrap();
        assert_eq!(word, "one");
        let larger = VolumeRequest::persistent("models", "local-disk", "1Gi");
        let larger = RunEnvironment::new().with_mount(larger.mount_read_only("/models"));
        let error = submitter.submit(read("/models/word".into()), &larger).await.unwrap_err();
        assert!(error.to_string().contains("class and size local-disk 10Mi"), "{error:?}");
        submitter.close().await.unwrap();
    });
    assert_eq!(
        kubectl_output(&["get", "pvc", "models", "-o", "name"]),
        "persistentvolumeclaim/models"
    );
}
