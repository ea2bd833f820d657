use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address_class::AddressClass;
use crate::error::WireError;
use crate::http_host::HttpHost;

/// The host names of metadata services, which hand out a machine's credentials.
const METADATA_HOSTS: &[&str] =
    &["metadata", "metadata.goog", "metadata.google.internal", "instance-data.ec2.internal"];

/// The scheme of an HTTP URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpScheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl HttpScheme {
    /// Returns the scheme's default port.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for HttpScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// The target of an HTTP request: the part of its URL that a grant checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// The scheme.
    pub scheme: HttpScheme,
    /// The host.
    pub host: HttpHost,
    /// The port: that of the URL, or the scheme's default.
    pub port: u16,
}

impl HttpTarget {
    /// Returns whether the host is a metadata service or another address that no grant can cover.
    pub fn is_never_granted(&self) -> bool {
        match &self.host {
            HttpHost::Name(name) => METADATA_HOSTS.contains(&name.as_str()),
            HttpHost::Address(address) => AddressClass::of(*address) == AddressClass::Forbidden,
        }
    }

    /// Returns the host, followed by the port if it differs from the scheme's default.
    pub fn authority(&self) -> String {
        match self.port == self.scheme.port() {
            true => self.host.to_string(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// A grant to send HTTP requests: `[SCHEME://]HOST[:PORT]`, where `*.` before a name stands for all
/// names below it.
///
/// ```
/// use hype_wire::{HttpGrant, HttpScheme, HttpTarget};
///
/// let grant: HttpGrant = "https://*.example.com".parse()?;
/// let host = "api.example.com".parse()?;
/// assert!(grant.covers(&HttpTarget { scheme: HttpScheme::Https, host, port: 443 }));
/// assert!("169.254.169.254".parse::<HttpGrant>().is_err());
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "EncodedGrant", into = "EncodedGrant")]
pub struct HttpGrant {
    scheme: Option<HttpScheme>,
    hosts: Hosts,
    port: Option<u16>,
    is_private: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    One(HttpHost),
    /// All names that end in this one with a dot before it.
    Below(String),
}

/// A grant as encoded in manifests.
#[derive(Serialize, Deserialize)]
struct EncodedGrant {
    /// The grant as text: `https://*.example.com:8443`.
    hosts: String,
    /// Whether names may resolve to private addresses.
    private: bool,
}

impl HttpGrant {
    /// Extends the grant to names that resolve to private addresses.
    #[must_use]
    pub fn to_private(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// Returns whether the grant covers `target`.
    pub fn covers(&self, target: &HttpTarget) -> bool {
        let is_host = match (&self.hosts, &target.host) {
            (Hosts::One(host), other) => host == other,
            (Hosts::Below(parent), HttpHost::Name(name)) => name
                .strip_suffix(parent)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
            (Hosts::Below(_), HttpHost::Address(_)) => false,
        };
        is_host
            && self.scheme.is_none_or(|scheme| scheme == target.scheme)
            && self.port.unwrap_or(target.scheme.port()) == target.port
    }

    /// Returns whether a covered request may connect to `address`, to which the host resolved.
    pub fn allows(&self, address: IpAddr) -> bool {
        let is_literal = matches!(self.hosts, Hosts::One(HttpHost::Address(_)));
        match AddressClass::of(address) {
            AddressClass::Global => true,
            AddressClass::Private => self.is_private || is_literal,
            AddressClass::Forbidden => false,
        }
    }

    fn names_forbidden_host(&self) -> bool {
        let Hosts::One(host) = &self.hosts else { return false };
        HttpTarget { scheme: HttpScheme::Http, host: host.clone(), port: 80 }.is_never_granted()
    }
}

impl FromStr for HttpGrant {
    type Err = WireError;

    /// Parses `[SCHEME://]HOST[:PORT]`; the host may begin with `*.`.
    fn from_str(text: &str) -> Result<Self, WireError> {
        let wrong = |problem: String| WireError::new(format!("`{text}` is not a host: {problem}"));
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(HttpScheme::Http), rest),
            Some(("https", rest)) => (Some(HttpScheme::Https), rest),
            Some(_) => return Err(wrong("its scheme is neither http nor https".to_owned())),
        };
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            None => (rest, None),
            Some((host, port)) => {
                let is_plain = !port.starts_with('+');
                let port = port.parse().ok().filter(|port| *port > 0 && is_plain);
                (
                    host,
                    Some(port.ok_or_else(|| {
                        wrong("its port is not a number from 1 to 65535".to_owned())
                    })?),
                )
            }
        };
        let host_of =
            |host: &str| host.parse::<HttpHost>().map_err(|error| wrong(error.to_string()));
        let hosts = match host.strip_prefix("*.") {
            None => Hosts::One(host_of(host)?),
            Some(parent) => match host_of(parent)? {
                HttpHost::Name(parent) => Hosts::Below(parent),
                HttpHost::Address(_) => {
                    return Err(wrong("an address has no names below it".to_owned()));
                }
            },
        };
        let grant = Self { scheme, hosts, port, is_private: false };
        match grant.names_forbidden_host() {
            true => Err(WireError::new(format!(
                "`{text}` cannot be granted: it is a metadata service, or not the address of one machine"
            ))),
            false => Ok(grant),
        }
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{scheme}://")?;
        }
        match &self.hosts {
            Hosts::One(host) => host.fmt(f)?,
            Hosts::Below(parent) => write!(f, "*.{parent}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl From<HttpGrant> for EncodedGrant {
    fn from(grant: HttpGrant) -> Self {
        Self { hosts: grant.to_string(), private: grant.is_private }
    }
}

impl TryFrom<EncodedGrant> for HttpGrant {
    type Error = WireError;

    fn try_from(encoded: EncodedGrant) -> Result<Self, WireError> {
        let grant: Self = encoded.hosts.parse()?;
        Ok(if encoded.private { grant.to_private() } else { grant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> HttpGrant {
        text.parse().unwrap()
    }

    fn target(text: &str) -> HttpTarget {
        let (scheme, rest) = text.split_once("://").unwrap();
        let scheme = if scheme == "http" { HttpScheme::Http } else { HttpScheme::Https };
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().unwrap()),
            None => (rest, scheme.port()),
        };
        HttpTarget { scheme, host: host.parse().unwrap(), port }
    }

    #[test]
    fn grant_covers_exactly_its_targets() {
        for (text, covered, others) in [
            (
                "api.example.com",
                &[
                    "http://api.example.com",
                    "https://API.example.com.",
                    "https://api.example.com:443",
                ][..],
                &[
                    "https://api.example.com:8443",
                    "http://api.example.com:443",
                    "https://example.com",
                    "https://b.api.example.com",
                    "https://api.example.com.evil.example",
                    "https://xapi.example.com",
                ][..],
            ),
            (
                "https://a.example",
                &["https://a.example"],
                &["http://a.example", "http://a.example:443"],
            ),
            (
                "a.example:81",
                &["http://a.example:81", "https://a.example:81"],
                &["http://a.example"],
            ),
            (
                "*.example.com",
                &["http://a.example.com", "https://b.a.example.com"],
                &["http://example.com", "http://aexample.com", "http://example.com.evil.example"],
            ),
            (
                "127.0.0.1:8080",
                &["http://127.0.0.1:8080"],
                &["http://127.0.0.1", "http://localhost:8080"],
            ),
            ("[::1]", &["http://[0:0::1]"], &["http://[::ffff:127.0.0.1]", "http://[::1]:8080"]),
            (
                "http://[2001:db8::1]:81",
                &["http://[2001:db8::1]:81"],
                &["https://[2001:db8::1]:81"],
            ),
        ] {
            for covered in covered {
                assert!(grant(text).covers(&target(covered)), "{text} {covered}");
            }
            for other in others {
                assert!(!grant(text).covers(&target(other)), "{text} {other}");
            }
        }
    }

    #[test]
    fn private_addresses_need_a_private_grant() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (global, private, never) =
            (address("1.1.1.1"), address("10.0.0.1"), address("169.254.169.254"));
        let by_name = grant("a.example");
        assert!(by_name.allows(global) && !by_name.allows(private) && !by_name.allows(never));
        for grant in [grant("a.example").to_private(), grant("10.0.0.1")] {
            assert!(grant.allows(global) && grant.allows(private) && !grant.allows(never));
        }
    }

    #[test]
    fn invalid_grant_names_the_problem() {
        for (text, why) in [
            ("ftp://a.example", "neither http nor https"),
            ("a.example/path", "neither a name nor an address"),
            ("user@a.example", "neither a name nor an address"),
            ("a.example:0", "port"),
            ("a.example:+80", "port"),
            ("a.example:99999", "port"),
            ("*", "neither a name nor an address"),
            ("*.10.0.0.1", "an address has no names below it"),
            ("2852039166", "ends in a number"),
            ("169.254.169.254", "metadata service"),
            ("[fd00:ec2::254]", "metadata service"),
            ("[::ffff:169.254.169.254]", "metadata service"),
            ("[64:ff9b::a9fe:a9fe]:80", "metadata service"),
            ("METADATA.google.internal.", "metadata service"),
            ("http://metadata", "metadata service"),
        ] {
            let error = text.parse::<HttpGrant>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn grant_encodes_as_its_text() {
        let texts =
            ["api.example.com", "https://*.example.com:8443", "http://[::1]:81", "10.0.0.1"];
        for text in texts {
            for grant in [grant(text), grant(text).to_private()] {
                assert_eq!(grant.to_string(), text);
                let bytes = crate::object::to_vec(&grant).unwrap();
                assert_eq!(crate::object::from_slice::<HttpGrant>(&bytes).unwrap(), grant);
            }
        }
        let forged = crate::object::to_vec(&EncodedGrant {
            hosts: "169.254.169.254".to_owned(),
            private: true,
        });
        assert!(crate::object::from_slice::<HttpGrant>(&forged.unwrap()).is_err());
    }
}
