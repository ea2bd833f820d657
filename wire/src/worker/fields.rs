//! The fields of HTTP messages.

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TRANSFER_ENCODING, UPGRADE,
};
use serde::{Deserialize, Serialize};

use super::violation::Violation;
use crate::bytes::Bytes;

/// The fields that a guest can't set, since they belong to the connection.
pub const FORBIDDEN_FIELDS: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    HeaderName::from_static("http2-settings"),
];

/// The maximum size of the fields of a request, in bytes, as wasmtime counts it: with the records of names and values.
const MAX_REQUEST_FIELDS: usize = 128 << 10;

/// The fields of a head or of trailers: each name with its values, in the order of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(Vec<(String, Vec<Bytes>)>);

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        let values = |name: &HeaderName| {
            let values = map.get_all(name).iter();
            values.map(|value| Bytes(value.as_bytes().to_vec())).collect()
        };
        Self(map.keys().map(|name| (name.as_str().to_owned(), values(name))).collect())
    }
}

impl Fields {
    /// Parses all names and values.
    ///
    /// # Errors
    ///
    /// When one of them is no field of HTTP, or there are too many.
    pub fn parse(self) -> Result<HeaderMap, Violation> {
        let invalid = Violation::InvalidRequest;
        let mut map = HeaderMap::new();
        for (name, values) in self.0 {
            let name = HeaderName::from_bytes(name.as_bytes());
            let name = name.map_err(|_| invalid("a name of a field is none"))?;
            for Bytes(value) in values {
                let value = HeaderValue::try_from(value);
                let value = value.map_err(|_| invalid("a value of a field is none"))?;
                let added = map.try_append(&name, value);
                added.map_err(|_| invalid("it has too many fields"))?;
            }
        }
        Ok(map)
    }

    /// Parses the fields of a request, which must be those that a guest can set.
    pub(super) fn parse_request(self) -> Result<HeaderMap, Violation> {
        let map = self.parse()?;
        if FORBIDDEN_FIELDS.iter().any(|name| map.contains_key(name)) {
            return Err(Violation::InvalidRequest("a field belongs to the connection"));
        }
        let names = map.keys().map(|name| name.as_str().len() + size_of::<HeaderName>());
        let values = map.values().map(|value| value.len() + size_of::<HeaderValue>());
        if names.chain(values).sum::<usize>() > MAX_REQUEST_FIELDS {
            return Err(Violation::HeadTooLarge);
        }
        let mut lengths = map.get_all(CONTENT_LENGTH).iter();
        let (first, second) = (lengths.next(), lengths.next());
        if second.is_some() || first.is_some_and(|length| content_length(length).is_none()) {
            return Err(Violation::InvalidRequest("its length is ambiguous"));
        }
        Ok(map)
    }
}

/// Returns the number in a field `content-length`.
pub(super) fn content_length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&str, &[&str])]) -> Fields {
        let bytes = |text: &&str| Bytes(text.as_bytes().to_vec());
        let of =
            |(name, all): &(&str, &[&str])| ((*name).to_owned(), all.iter().map(bytes).collect());
        Fields(all.iter().map(of).collect())
    }

    #[test]
    fn fields_keep_their_order_and_all_values() {
        let all = fields(&[("x-b", &["1", "", "ü"]), ("x-a", &["2"])]);
        let map = all.clone().parse().unwrap();
        assert_eq!(map.len(), 4);
        assert_eq!(Fields::from(&map), all);
    }

    #[test]
    fn fields_that_a_guest_cannot_set_are_rejected() {
        for (name, values) in [
            ("host", &["a.example"][..]),
            ("Transfer-Encoding", &["chunked"]),
            ("content-length", &["1", "2"]),
            ("content-length", &["+1"]),
            ("content-length", &[""]),
            ("x\r\ny", &["1"]),
            ("x", &["1\r\ny: 2"]),
            ("", &["1"]),
        ] {
            assert!(fields(&[(name, values)]).parse_request().is_err(), "{name}");
        }
        assert!(fields(&[("content-length", &["7"])]).parse_request().is_ok());
        assert_eq!(fields(&[("x", &[""; 4_000])]).parse_request(), Err(Violation::HeadTooLarge));
        assert!(fields(&[("x", &[""; 3_000])]).parse_request().is_ok());
        let names: Vec<String> = (0..40_000).map(|number| format!("x{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), &[""][..])).collect();
        assert!(fields(&many).parse().is_err());
    }
}
