//! Parses the range of an object that a request reads.

use std::ops::Range;

use hyper::HeaderMap;
use hyper::header::RANGE;

use crate::problem::Problem;

/// Returns the requested range of an object of `len` bytes: `bytes=a-b`, `a-` or `-n`.
///
/// Returns `None` without a range or with an unknown form, which means the whole object.
pub(crate) fn requested(headers: &HeaderMap, len: u64) -> Result<Option<Range<u64>>, Problem> {
    let header = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) = header.and_then(parse) else { return Ok(None) };
    let range = match (first, last) {
        (Some(first), Some(last)) => first..last.saturating_add(1).min(len),
        (Some(first), None) => first..len,
        (None, Some(count)) => len.saturating_sub(count)..len,
        (None, None) => return Ok(None),
    };
    if range.is_empty() { Err(Problem::InvalidRange(len)) } else { Ok(Some(range)) }
}

/// Parses the first and the last position, each of which may be missing.
fn parse(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    let (first, last) = (number(first)?, number(last)?);
    let is_backwards = matches!((first, last), (Some(first), Some(last)) if last < first);
    (!is_backwards).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten(range: &'static str) -> Result<Option<Range<u64>>, Problem> {
        requested(&HeaderMap::from_iter([(RANGE, range.parse().unwrap())]), 10)
    }

    #[test]
    fn range_is_clipped_to_the_object() {
        for (header, range) in [
            ("bytes=2-4", 2..5),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=9-18446744073709551615", 9..10),
        ] {
            assert_eq!(of_ten(header), Ok(Some(range)), "{header}");
        }
    }

    #[test]
    fn range_beyond_the_end_is_rejected() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of_ten(header), Err(Problem::InvalidRange(10)), "{header}");
        }
        let headers = HeaderMap::from_iter([(RANGE, "bytes=0-".parse().unwrap())]);
        assert_eq!(requested(&headers, 0), Err(Problem::InvalidRange(0)));
    }

    #[test]
    fn invalid_range_selects_the_whole() {
        assert_eq!(requested(&HeaderMap::new(), 10), Ok(None));
        for header in ["lines=1-2", "bytes=4-2", "bytes=-", "bytes=a-b", "bytes=0-1,3-4"] {
            assert_eq!(of_ten(header), Ok(None), "{header}");
        }
    }
}
