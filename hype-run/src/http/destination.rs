//! Where a request goes, and by whose leave.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::uri::Scheme;
use hype_wire::{HttpGrant, HttpHost, HttpScheme, HttpTarget, Remedy};

use crate::power::Denied;

/// A target that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) target: HttpTarget,
    /// All grants that cover it.
    grants: Vec<HttpGrant>,
}

/// Where a request to `uri` goes.
pub(super) fn find(uri: &Uri, grants: &[HttpGrant]) -> Result<Destination, Denied> {
    let target = target(uri).map_err(|way_out| denied(&uri.to_string(), way_out, None))?;
    if target.is_never_granted() {
        return Err(denied(
            &uri.to_string(),
            "nothing does, since it tells machines who they are".into(),
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
    /// Of the addresses that its host has, those that it may be reached at.
    pub(super) fn vet(&self, addresses: &[IpAddr]) -> Result<Vec<SocketAddr>, Denied> {
        let allowed = |address: &&IpAddr| self.grants.iter().any(|grant| grant.allows(**address));
        let vetted: Vec<_> = addresses
            .iter()
            .filter(allowed)
            .map(|address| SocketAddr::new(*address, self.target.port))
            .collect();
        if !vetted.is_empty() || addresses.is_empty() {
            return Ok(vetted);
        }
        let private = self.target.to_string().parse::<HttpGrant>().map(HttpGrant::to_private);
        let would_help = private.is_ok_and(|grant| addresses.iter().any(|it| grant.allows(*it)));
        let (what, way_out) = match would_help {
            true => ("private addresses", granted_by("allow_http_private", &self.target)),
            false => ("addresses that nobody is led to", "nothing does".to_owned()),
        };
        let what = format!("asked {}, which has {what} alone", self.target);
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
        // What stands behind a colon is a port, or the URL is none.
        None if authority
            .as_str()
            .ends_with(|c: char| c != ']' && !c.is_ascii_alphanumeric() && c != '.') =>
        {
            return Err("its port is none".to_owned());
        }
        None => scheme.port(),
    };
    Ok(HttpTarget { scheme, host, port })
}

fn private_literal(target: &HttpTarget) -> bool {
    matches!(&target.host, HttpHost::Address(address)
        if hype_wire::Reach::of(*address) == hype_wire::Reach::Private)
}

fn granted_by(call: &str, target: &HttpTarget) -> String {
    format!("RunEnvironment::{call}(\"{target}\") would")
}

fn denied(uri: &str, way_out: String, remedy: Option<Remedy>) -> Denied {
    Denied { what: format!("asked for {}", crate::brevity::name(uri)), way_out, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<HttpGrant> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn ask(uri: &str, texts: &[&str]) -> Result<String, String> {
        find(&uri.parse().unwrap(), &grants(texts))
            .map(|destination| destination.target.to_string())
            .map_err(|denied| denied.to_string())
    }

    #[test]
    fn what_is_granted_is_found() {
        for (uri, grant, target) in [
            ("http://API.example.com/x?y", "api.example.com", "http://api.example.com"),
            ("https://api.example.com:443/", "api.example.com", "https://api.example.com"),
            ("http://[0:0::1]:81/", "http://[::1]:81", "http://[::1]:81"),
            ("http://a.b.example/", "*.b.example", "http://a.b.example"),
        ] {
            assert_eq!(ask(uri, &["other.example", grant]), Ok(target.to_owned()), "{uri}");
        }
    }

    #[test]
    fn what_is_not_names_the_call_that_would_grant_it() {
        for (uri, way_out) in [
            ("http://evil.example/", r#"allow_http("http://evil.example") would"#),
            ("https://evil.example:81/", r#"allow_http("https://evil.example:81") would"#),
            ("http://10.0.0.1/", r#"allow_http_private("http://10.0.0.1") would"#),
            ("http://localhost:81/", r#"allow_http("http://localhost:81") would"#),
        ] {
            let denied = ask(uri, &["api.example.com", "127.0.0.1:81"]).unwrap_err();
            assert!(denied.starts_with(&format!("asked for {uri}, which")), "{denied}");
            assert!(denied.ends_with(way_out), "{denied}");
        }
    }

    #[test]
    fn nobody_is_led_to_metadata_however_it_is_spelled() {
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
            let denied =
                ask(uri, &["*.google.internal", "*.internal", "api.example.com"]).unwrap_err();
            assert!(!denied.contains("allow_http"), "{denied}");
        }
    }

    #[test]
    fn a_url_says_one_thing() {
        for (uri, problem) in [
            ("http://api.example.com@evil.example/", "a user in it"),
            ("http://evil.example@api.example.com/", "a user in it"),
            ("http://api.example.com:/", "its port is none"),
            ("ftp://api.example.com/", "only http and https"),
            ("/", "only http and https"),
        ] {
            let denied = ask(uri, &["api.example.com", "evil.example"]).unwrap_err();
            assert!(denied.contains(problem), "{uri}: {denied}");
        }
    }

    #[test]
    fn addresses_are_vetted_one_by_one() {
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
        let shown =
            |vetted: Vec<SocketAddr>| vetted.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(destination(false).vet(&all).unwrap()), ["1.1.1.1:81"]);
        assert_eq!(
            shown(destination(true).vet(&all).unwrap()),
            ["10.0.0.1:81", "1.1.1.1:81", "[::ffff:1.1.1.1]:81", "[::1]:81"]
        );
        let denied = destination(false).vet(&all[..1]).unwrap_err().to_string();
        assert!(denied.contains(r#"allow_http_private("http://a.example:81") would"#), "{denied}");
        for never in [false, true].map(|private| destination(private).vet(&all[3..5])) {
            assert!(never.unwrap_err().to_string().ends_with("nothing does"));
        }
    }
}
