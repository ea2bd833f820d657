//! Converts resource requests to Docker's limits.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::runner::quantity;

/// The resource limits of a container. Docker has no requests, so requests become limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Billionths of a processor.
    pub(crate) nano_cpus: Option<i64>,
    /// Bytes of memory, without any swap.
    pub(crate) memory: Option<i64>,
    /// Requested resources that Docker doesn't have.
    pub(crate) unknown: Vec<String>,
}

impl Limits {
    /// Converts `requests`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if an amount can't be parsed.
    pub(crate) fn of(requests: &BTreeMap<String, String>) -> Result<Self> {
        let mut limits = Self::default();
        for (resource, text) in requests {
            let amount = |unit: f64| {
                quantity::parse(text).map(|amount| (amount * unit).ceil() as i64).ok_or_else(|| {
                    Error::input(format!("`{text}` is no quantity of {resource}"))
                        .hint("write it as Kubernetes does: 750m processors, 4Gi of memory")
                })
            };
            match resource.as_str() {
                "cpu" => limits.nano_cpus = Some(amount(1e9)?),
                "memory" => limits.memory = Some(amount(1.0)?),
                _ => limits.unknown.push(resource.clone()),
            }
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: &[(&str, &str)]) -> Result<Limits> {
        let owned = requests.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Limits::of(&owned.collect())
    }

    #[test]
    fn requests_become_limits() {
        let limits = limits(&[("cpu", "750m"), ("memory", "512Mi"), ("nvidia.com/gpu", "1")]);
        let limits = limits.unwrap();
        assert_eq!(limits.nano_cpus, Some(750_000_000));
        assert_eq!(limits.memory, Some(512 << 20));
        assert_eq!(limits.unknown, ["nvidia.com/gpu"]);
    }

    #[test]
    fn invalid_quantity_is_quoted() {
        let error = limits(&[("memory", "lots")]).unwrap_err();
        assert_eq!(error.to_string(), "`lots` is no quantity of memory");
    }
}
