//! Deletes exactly the object that was read: its UID is a precondition.

use std::fmt::Debug;

use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::api_error::{ErrorClass, request_error};
use super::retry::Retry;
use crate::error::{Error, Result};

/// Deletes `object`, as the API server returned it, with a grace period in seconds; `None` means the object's own.
/// Another object of the same name is kept. Idempotent: a missing object is no error.
///
/// # Errors
///
/// [`Runner`](crate::ErrorKind::Runner) if the object has no UID or can't be deleted.
pub(crate) async fn delete<K>(
    api: &Api<K>,
    object: &K,
    grace: Option<u32>,
    retry: &Retry,
) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + Debug,
    K::DynamicType: Default,
{
    let name = object.name_any();
    let what = || format!("cannot delete {} {name}", K::kind(&K::DynamicType::default()));
    let Some(uid) = object.uid() else {
        return Err(Error::runner(what(), "the API server returned it without a UID"));
    };
    let params = DeleteParams {
        grace_period_seconds: grace,
        preconditions: Some(Preconditions { uid: Some(uid.clone()), resource_version: None }),
        ..Default::default()
    };
    let error = match retry.run(|| api.delete(&name, &params)).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    match ErrorClass::of(&error) {
        ErrorClass::NotFound => Ok(()),
        ErrorClass::Conflict => {
            let found = retry.run(|| api.get_opt(&name)).await;
            let found = found.map_err(|error| request_error(what(), error))?;
            match found.is_some_and(|found| found.uid().as_ref() == Some(&uid)) {
                true => Err(request_error(what(), error)),
                // Another client has deleted the object, and created one of the same name.
                false => Ok(()),
            }
        }
        _ => Err(request_error(what(), error)),
    }
}
