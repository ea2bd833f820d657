//! The names of Kubernetes namespaces.

use std::fmt;

use crate::error::{Error, Result};

/// The maximum number of quoted characters of a text that is no namespace.
const MAX_QUOTED: usize = 100;

/// The name of a namespace: a DNS label, so it can be part of a URL. A text becomes one only by parsing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// Parses the name of a namespace.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if it is no DNS label.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        if is_dns_label(name) {
            return Ok(Self(name.to_owned()));
        }
        let quoted: String = name.chars().take(MAX_QUOTED).collect();
        Err(Error::input(format!("`{}` is not the name of a namespace", quoted.escape_debug()))
            .hint("a namespace has 1 to 63 lower-case letters, digits and `-`, and no `-` at either end"))
    }

    /// Returns the name.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether `name` is a DNS label (RFC 1123).
fn is_dns_label(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(is_fine)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Returns whether `name` is a DNS subdomain (RFC 1123), as names of most objects are.
#[cfg(feature = "kubernetes")]
pub(crate) fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_is_a_dns_label() {
        let longest = "a".repeat(63);
        for name in ["default", "team-a", "0", &longest] {
            assert_eq!(Namespace::parse(name).unwrap().to_string(), name);
        }
        let too_long = "a".repeat(64);
        for name in [
            "",
            "-",
            "a-",
            "-a",
            "A",
            "a b",
            "a.b",
            "a_b",
            "é",
            "..",
            "prod/pods?x=1#",
            "kube-system/secrets?#",
            "a%2fb",
            "a\n",
            "\u{1b}",
            &too_long,
        ] {
            let error = Namespace::parse(name).unwrap_err().to_string();
            assert!(error.contains("is not the name of a namespace"), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}
