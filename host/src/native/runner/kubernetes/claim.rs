//! The PersistentVolumeClaim of a volume, as pure functions.

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedLocalObjectReference,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::environment::mount::VolumeRequest;
use crate::error::{Error, Result};
use crate::run::lease;
use crate::runner::{labels, quantity};

/// Returns the claim of `request`. A transient claim may be garbage-collected after `expiry`.
pub(crate) fn claim_of(request: &VolumeRequest, expiry: &str) -> PersistentVolumeClaim {
    let life = if request.is_transient() { "transient" } else { "persistent" };
    new_claim(request, request.name(), life, expiry, request.sharing().modes())
}

/// Returns the claim of a copy called `name`, which many Pods can read.
pub(crate) fn copy_of(request: &VolumeRequest, name: &str, expiry: &str) -> PersistentVolumeClaim {
    let mut copy = new_claim(request, name, "transient", expiry, vec!["ReadOnlyMany".to_owned()]);
    let source = TypedLocalObjectReference {
        kind: "PersistentVolumeClaim".to_owned(),
        name: request.name().to_owned(),
        ..Default::default()
    };
    copy.spec.get_or_insert_default().data_source = Some(source);
    copy
}

fn new_claim(
    request: &VolumeRequest,
    name: &str,
    life: &str,
    expiry: &str,
    access_modes: Vec<String>,
) -> PersistentVolumeClaim {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let labels = [(labels::VOLUME, life), (labels::SUBMITTER, lease::owner())];
    let size = Quantity(request.size().to_owned());
    let resources = VolumeResourceRequirements {
        requests: Some([("storage".to_owned(), size)].into()),
        ..Default::default()
    };
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(owned).into()),
            annotations: Some([owned((labels::EXPIRY, expiry))].into()),
            ..Default::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(access_modes),
            storage_class_name: Some(request.storage_class().to_owned()),
            resources: Some(resources),
            ..Default::default()
        }),
        status: None,
    }
}

/// Checks that the `existing` claim has the requested class and size.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if it has another class or size, or is being deleted.
pub(crate) fn check(request: &VolumeRequest, existing: &PersistentVolumeClaim) -> Result<()> {
    let name = request.name();
    if existing.metadata.deletion_timestamp.is_some() {
        return Err(Error::input(format!("the claim {name} is being removed"))
            .hint("wait for its removal, or name another volume"));
    }
    let spec = existing.spec.clone().unwrap_or_default();
    let class = spec.storage_class_name.unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let size = requests.and_then(|mut requests| requests.remove("storage"));
    let size = size.map(|size| size.0).unwrap_or_default();
    // Equal amounts may be written differently.
    let is_size =
        size == request.size() || quantity::parse(&size) == quantity::parse(request.size());
    if class == request.storage_class() && is_size {
        return Ok(());
    }
    Err(Error::input(format!(
        "the claim {name} exists with class and size {class} {size}, but {} {} were requested",
        request.storage_class(),
        request.size()
    ))
    .hint(format!("request these, or remove it: kubectl delete pvc {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::sharing::{AccessMode, Readers};

    fn yaml(mut claim: PersistentVolumeClaim) -> String {
        claim.metadata.labels.as_mut().unwrap().insert(labels::SUBMITTER.into(), "me".into());
        serde_saphyr::to_string(&serde_json::to_value(&claim).unwrap()).unwrap()
    }

    #[test]
    fn claim_has_class_size_and_owner() {
        let volume = VolumeRequest::persistent("models", "gce-ssd-pd", "10Gi");
        insta::assert_snapshot!("claim", yaml(claim_of(&volume, "1800000000")));
        insta::assert_snapshot!("claim_copy", yaml(copy_of(&volume, "models-copy", "1800000000")));
    }

    #[test]
    fn readers_determine_the_access_modes() {
        let volume = VolumeRequest::transient("ssd", "1Gi");
        let modes = |volume: &VolumeRequest| volume.sharing().modes();
        assert_eq!(modes(&volume), ["ReadWriteOnce"]);
        assert_eq!(modes(&volume.readers(Readers::Clone)), ["ReadWriteOnce"]);
        let shared = volume.readers(Readers::Shared);
        assert_eq!(modes(&shared), ["ReadWriteMany"]);
        let both = [AccessMode::ReadWriteOnce, AccessMode::ReadOnlyMany];
        let both = shared.with_access_modes(both);
        assert_eq!(modes(&both), ["ReadWriteOnce", "ReadOnlyMany"]);
        assert_eq!(both.name(), volume.name());
    }

    #[test]
    fn mismatched_class_or_size_is_reported() {
        let volume = |class, size| VolumeRequest::persistent("models", class, size);
        let existing = |class, size| claim_of(&volume(class, size), "1");
        let requested = volume("ssd", "1Gi");
        assert!(check(&requested, &existing("ssd", "1Gi")).is_ok());
        assert!(check(&requested, &existing("ssd", "1024Mi")).is_ok());
        for (class, size) in [("ssd", "2Gi"), ("disk", "1Gi")] {
            let report = check(&requested, &existing(class, size)).unwrap_err().report();
            let expected =
                format!("with class and size {class} {size}, but ssd 1Gi were requested");
            assert!(report.contains(&expected), "{report}");
            assert!(report.contains("kubectl delete pvc models"), "{report}");
        }
        let mut deleted = existing("ssd", "1Gi");
        deleted.metadata.deletion_timestamp =
            Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
        assert!(check(&requested, &deleted).unwrap_err().to_string().contains("is being removed"));
    }
}
