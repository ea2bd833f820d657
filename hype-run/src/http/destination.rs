//! The destination of a request, and the grants that allow it.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::uri::Scheme;
use hype_wire::{HttpGrant, HttpHost, HttpScheme, HttpTarget, Remedy};

use crate::power::Denied;

/// A target that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(super) target: HttpTarget,
    /// All grants that cover the target.
    grants: Vec<HttpGrant>,
}

/// Returns the destination of a request to `uri`.
///
/// # Errors
///
/// When no grant covers the request.
pub(super) fn find(uri: &Uri, grants: &[HttpGrant]) -> Result<Destination, Denied> {
    let target = target(uri).map_err(|way_out| denied(&uri.to_string(), way_out, None))?;
    if target.is_never_granted() {
        return Err(denied(
            &uri.to_string(),
            "nothing does, since it is a metadata service, which returns the machine's credentials"
                .into(),
            None,
        ));
    }
    let covering: Vec<_> = grants.iter().filter(|grant| grant.covers(&target)).cloned().collect();
    if covering.is_empty() {
        let call = match private_literal(&target) {
            true => "allow_http_private",
            false => "allow_http",
        };
        let way_out = granted_by(call, &target);
        return Err(denied(&uri.to_string(), way_out, Some(Remedy::GrantHttp)));
    }
    Ok(Destination { target, grants: covering })
}

impl Destination {
    /// Returns those of the host's addresses that the grants allow.
    ///
    /// # Errors
    ///
    /// When the host has addresses, and the grants allow none of them.
    pub(super) fn allowed(&self, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, Denied> {
        let is_allowed =
            |address: &&IpAddr| self.grants.iter().any(|grant| grant.allows(**address));
        let allowed: Vec<_> = addresses
            .iter()
            .filter(is_allowed)
            .map(|address| SocketAddr::new(*address, self.target.port))
            .collect();
        if !allowed.is_empty() || addresses.is_empty() {
            return Ok(allowed);
        }
        let private = self.target.to_string().parse::<HttpGrant>().map(HttpGrant::to_private);
        let would_help = private.is_ok_and(|grant| addresses.iter().any(|it| grant.allows(*it)));
        let (what, way_out) = match would_help {
            true => ("private addresses", granted_by("allow_http_private", &self.target)),
            false => ("forbidden addresses", "nothing does".to_owned()),
        };
        let what = format!("asked for {}, which has only {what}", self.target);
        Err(Denied { what, way_out, remedy: would_help.then_some(Remedy::GrantHttp) })
    }
}

fn target(uri: &Uri) -> Result<HttpTarget, String> {
    let scheme = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => HttpScheme::Http,
        Some(scheme) if *scheme == Scheme::HTTPS => HttpScheme::Https,
        _ => return Err("only http and https can be".to_owned()),
    };
    let authority = uri.authority().ok_or("it has no host")?;
    if authority.as_str().contains('@') {
        return Err("a URL with a user in it can't be; send them in a header".to_owned());
    }
    let host = authority.host().parse::<HttpHost>().map_err(|error| error.to_string())?;
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        // A text after the colon that isn't a port makes the URL invalid.
        None if authority
            .as_str()
            .ends_with(|c: char| c != ']' && !c.is_ascii_alphanumeric() && c != '.') =>
        {
            return Err("its port is not a number".to_owned());
        }
        None => scheme.port(),
    };
    Ok(HttpTarget { scheme, host, port })
}

fn private_literal(target: &HttpTarget) -> bool {
    matches!(&target.host, HttpHost::Address(address)
        if hype_wire::AddressClass::of(*address) == hype_wire::AddressClass::Private)
}

fn granted_by(call: &str, target: &HttpTarget) -> String {
    format!("RunEnvironment::{call}(\"{target}\") would")
}

fn denied(uri: &str, way_out: String, remedy: Option<Remedy>) -> Denied {
    Denied { what: format!("asked for {}", crate::truncate::name(uri)), way_out, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<HttpGrant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn find_target(uri: &str, texts: &[&str]) -> Result<String, String> {
        find(&uri.parse().unwrap(), &grants(texts))
            .map(|destination| destination.target.to_string())
            .map_err(|denied| denied.to_string())
    }

    #[test]
    fn granted_request_has_a_destination() {
        for (uri, grant, target) in [
            ("http://API.example.com/x?y", "api.example.com", "http://api.example.com"),
            ("https://api.example.com:443/", "api.example.com", "https://api.example.com"),
            ("http://[0:0::1]:81/", "http://[::1]:81", "http://[::1]:81"),
            ("http://a.b.example/", "*.b.example", "http://a.b.example"),
        ] {
            assert_eq!(find_target(uri, &["other.example", grant]), Ok(target.to_owned()), "{uri}");
        }
    }

    #[test]
    fn denied_request_names_the_grant() {
        for (uri, way_out) in [
            ("http://evil.example/", r#"allow_http("http://evil.example") would"#),
            ("https://evil.example:81/", r#"allow_http("https://evil.example:81") would"#),
            ("http://10.0.0.1/", r#"allow_http_private("http://10.0.0.1") would"#),
            ("http://localhost:81/", r#"allow_http("http://localhost:81") would"#),
        ] {
            let denied = find_target(uri, &["api.example.com", "127.0.0.1:81"]).unwrap_err();
            assert!(denied.starts_with(&format!("asked for {uri}, which")), "{denied}");
            assert!(denied.ends_with(way_out), "{denied}");
        }
    }

    #[test]
    fn metadata_service_is_denied_in_every_spelling() {
        for uri in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://0xa9.254.169.254/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[2002:a9fe:a9fe::]/",
            "http://[fd00:ec2::254]/",
            "http://metadata.google.internal/",
            "http://METADATA.google.internal./",
            "http://metadata/",
            "http://169.254.169.254./",
        ] {
            let denied = find_target(uri, &["*.google.internal", "*.internal", "api.example.com"])
                .unwrap_err();
            assert!(!denied.contains("allow_http"), "{denied}");
        }
    }

    #[test]
    fn ambiguous_url_is_denied() {
        for (uri, problem) in [
            ("http://api.example.com@evil.example/", "a user in it"),
            ("http://evil.example@api.example.com/", "a user in it"),
            ("http://api.example.com:/", "its port is not a number"),
            ("ftp://api.example.com/", "only http and https"),
            ("/", "only http and https"),
        ] {
            let denied = find_target(uri, &["api.example.com", "evil.example"]).unwrap_err();
            assert!(denied.contains(problem), "{uri}: {denied}");
        }
    }

    #[test]
    fn each_address_is_checked_against_the_grants() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let destination = |private: bool| {
            let grant: HttpGrant = "a.example:81".parse().unwrap();
            let grant = if private { grant.to_private() } else { grant };
            find(&"http://a.example:81/".parse().unwrap(), &[grant]).unwrap()
        };
        let all = [
            "10.0.0.1",
            "1.1.1.1",
            "::ffff:1.1.1.1",
            "169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "::1",
        ];
        let all = all.map(address);
        let texts =
            |allowed: Vec<SocketAddr>| allowed.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(destination(false).allowed(&all).unwrap()), ["1.1.1.1:81"]);
        assert_eq!(
            texts(destination(true).allowed(&all).unwrap()),
            ["10.0.0.1:81", "1.1.1.1:81", "[::ffff:1.1.1.1]:81", "[::1]:81"]
        );
        let denied = destination(false).allowed(&all[..1]).unwrap_err().to_string();
        assert!(denied.contains(r#"allow_http_private("http://a.example:81") would"#), "{denied}");
        for private in [false, true] {
            let denied = destination(private).allowed(&all[3..5]).unwrap_err();
            assert!(denied.to_string().ends_with("nothing does"));
        }
    }
}
