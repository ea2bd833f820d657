//! The claim of a volume: a pure function of what is asked for, and of what is there already.

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

/// The claim of `request`, to be removed after `expiry` if it is transient.
pub(crate) fn claim(request: &VolumeRequest, expiry: &str) -> PersistentVolumeClaim {
    let life = if request.is_transient() { "transient" } else { "persistent" };
    made(request, request.name(), (life, expiry), request.sharing().modes())
}

/// A copy of it called `name`, for many to read.
pub(crate) fn copy(request: &VolumeRequest, name: &str, expiry: &str) -> PersistentVolumeClaim {
    let mut copy = made(request, name, ("transient", expiry), vec!["ReadOnlyMany".to_owned()]);
    let source = TypedLocalObjectReference {
        kind: "PersistentVolumeClaim".to_owned(),
        name: request.name().to_owned(),
        ..Default::default()
    };
    copy.spec.get_or_insert_default().data_source = Some(source);
    copy
}

fn made(
    request: &VolumeRequest,
    name: &str,
    (life, expiry): (&str, &str),
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

/// Makes sure that the claim `there` is what `request` asks for.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when it has another class or size, or goes just now.
pub(crate) fn check(request: &VolumeRequest, there: &PersistentVolumeClaim) -> Result<()> {
    let name = request.name();
    if there.metadata.deletion_timestamp.is_some() {
        return Err(Error::input(format!("the claim {name} is being removed"))
            .hint("wait until it is gone, or name another volume"));
    }
    let spec = there.spec.clone().unwrap_or_default();
    let class = spec.storage_class_name.unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let size = requests.and_then(|mut requests| requests.remove("storage"));
    let size = size.map(|size| size.0).unwrap_or_default();
    // An amount has several ways to be written.
    let is_size =
        size == request.size() || quantity::parse(&size) == quantity::parse(request.size());
    if class == request.storage_class() && is_size {
        return Ok(());
    }
    Err(Error::input(format!(
        "the claim {name} is there with class and size {class} {size}, and {} {} were asked for",
        request.storage_class(),
        request.size()
    ))
    .hint(format!("ask for these, or remove it: kubectl delete pvc {name}")))
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
    fn a_claim_says_what_it_is() {
        let volume = VolumeRequest::persistent("models", "gce-ssd-pd", "10Gi");
        insta::assert_snapshot!("claim", yaml(claim(&volume, "1800000000")));
        insta::assert_snapshot!("claim_copy", yaml(copy(&volume, "models-copy", "1800000000")));
    }

    #[test]
    fn access_modes_suit_the_readers() {
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
    fn another_class_or_size_is_told() {
        let volume = |class, size| VolumeRequest::persistent("models", class, size);
        let there = |class, size| claim(&volume(class, size), "1");
        let asked = volume("ssd", "1Gi");
        assert!(check(&asked, &there("ssd", "1Gi")).is_ok());
        assert!(check(&asked, &there("ssd", "1024Mi")).is_ok());
        for (class, size) in [("ssd", "2Gi"), ("disk", "1Gi")] {
            let report = check(&asked, &there(class, size)).unwrap_err().report();
            let told = format!("with class and size {class} {size}, and ssd 1Gi were asked for");
            assert!(report.contains(&told), "{report}");
            assert!(report.contains("kubectl delete pvc models"), "{report}");
        }
        let mut going = there("ssd", "1Gi");
        going.metadata.deletion_timestamp =
            Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
        assert!(check(&asked, &going).unwrap_err().to_string().contains("is being removed"));
    }
}
