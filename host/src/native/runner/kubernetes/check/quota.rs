//! The judgement of a namespace's quotas.

use k8s_openapi::api::core::v1::ResourceQuota;

use crate::error::{Error, Result};
use crate::runner::quantity;

/// Describes the quotas of a namespace, unless one leaves no room for a Pod.
pub(super) fn judge(quotas: &[ResourceQuota]) -> Result<String> {
    if quotas.is_empty() {
        return Ok("the namespace has none".to_owned());
    }
    let mut uses = Vec::new();
    let mut exhausted = Vec::new();
    for status in quotas.iter().filter_map(|quota| quota.status.as_ref()) {
        let used = status.used.as_ref();
        for (resource, hard) in status.hard.iter().flatten().filter(|(name, _)| is_of_pods(name)) {
            let used = used.and_then(|used| used.get(resource)).map_or("0", |used| used.0.as_str());
            let text = format!("{resource} {used} of {}", hard.0);
            let amounts = (quantity::parse(used), quantity::parse(&hard.0));
            if let (Some(used), Some(hard)) = amounts
                && used >= hard
            {
                exhausted.push(text.clone());
            }
            uses.push(text);
        }
    }
    if exhausted.is_empty() {
        return Ok(format!("it leaves room for Pods: {}", uses.join(", ")));
    }
    Err(Error::input("the quota of the namespace leaves no room for a Pod")
        .because(exhausted.join(", "))
        .hint("wait until other runs have ended, or have the quota raised: kubectl describe quota"))
}

/// Returns whether a Pod without claims uses this resource.
fn is_of_pods(resource: &str) -> bool {
    ["pods", "count/pods", "cpu", "memory"].contains(&resource)
        || ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory"].contains(&resource)
}
