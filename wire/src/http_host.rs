use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::error::WireError;

/// The host of a URL: a name in lower case without a trailing dot, or an IP address.
///
/// An address has one accepted spelling in each family. Alternative spellings that some systems resolve
/// (`2852039166`, `0xa9.0xfe.1`, `0251.0376.0251.0376`) are rejected, like all names that end in a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HttpHost {
    /// `api.example.com`
    Name(String),
    /// `192.0.2.1`, `[2001:db8::1]`
    Address(IpAddr),
}

impl FromStr for HttpHost {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        let wrong = |problem: &str| WireError::new(format!("the host `{text}` {problem}"));
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = inside.parse::<Ipv6Addr>();
            return address
                .map(|address| Self::Address(address.into()))
                .map_err(|_| wrong("is not an IPv6 address"));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if !name.is_ascii() {
            return Err(wrong("is not ASCII: write international names as `xn--..`"));
        }
        let is_label = |label: &str| {
            let all = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.len() <= 63 && label.chars().all(all)
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(wrong("is neither a name nor an address"));
        }
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err(wrong(
                "ends in a number, but is not an IPv4 address of four decimal numbers",
            ));
        }
        Ok(Self::Name(name))
    }
}

/// Returns whether a system may treat the label as part of an address.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x");
    label.chars().all(|c| c.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()))
}

impl fmt::Display for HttpHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_normalized() {
        let shown = |text: &str| text.parse::<HttpHost>().unwrap().to_string();
        for (text, host) in [
            ("API.Example.com.", "api.example.com"),
            ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a_b.example", "a_b.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[::FFFF:1.2.3.4]", "[::ffff:1.2.3.4]"),
        ] {
            assert_eq!(shown(text), host);
        }
    }

    #[test]
    fn alternative_address_spellings_are_rejected() {
        for text in [
            "2852039166",
            "0xa9fea9fe",
            "0xA9.0xFE.0xA9.0xFE",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.254.169.254.",
            "127.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "example.1",
            "::1",
            "[::1",
            "[::1%lo]",
            "[127.0.0.1]",
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "a@b",
            "a:1",
            "*.example.com",
            "bücher.example",
            "a\r\nb",
            "a\0b",
        ] {
            assert!(text.parse::<HttpHost>().is_err(), "{text:?}");
        }
    }
}
