//! Uploads in parts, until they are one object.

use std::collections::BTreeMap;

use crate::content::Content;
use crate::object::Attributes;
use crate::problem::Problem;

/// How many parts an upload may have.
const PARTS: u32 = 10_000;

/// How many bytes each part but the last must have.
const SMALLEST_PART: u64 = 5 << 20;

#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) object: String,
    pub(crate) attributes: Attributes,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    etag: String,
    content: Content,
}

impl Upload {
    pub(crate) fn new(object: String, attributes: Attributes) -> Self {
        Self { object, attributes, parts: BTreeMap::new() }
    }

    /// Takes a part, in place of an earlier one with its number.
    pub(crate) fn put(
        &mut self,
        number: u32,
        etag: String,
        content: Content,
    ) -> Result<(), Problem> {
        if !(1..=PARTS).contains(&number) {
            let message = format!("Part number must be an integer between 1 and {PARTS}.");
            return Err(Problem::InvalidArgument(message));
        }
        self.parts.insert(number, Part { etag, content });
        Ok(())
    }

    /// The content of the parts that `list` names, each by number and ETag.
    pub(crate) fn join(&self, list: &[(u32, String)]) -> Result<Content, Problem> {
        if list.is_empty() {
            return Err(Problem::MalformedXml);
        }
        if !list.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Problem::InvalidPartOrder);
        }
        let mut pieces = Vec::new();
        for (position, (number, etag)) in (1..).zip(list) {
            let part = self.parts.get(number).filter(|part| part.etag == *etag);
            let content = &part.ok_or(Problem::InvalidPart)?.content;
            if position < list.len() && content.len() < SMALLEST_PART {
                return Err(Problem::EntityTooSmall);
            }
            pieces.extend_from_slice(content.pieces());
        }
        Ok(pieces.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::HeaderMap;

    use super::*;

    fn upload(parts: &[(u32, &str, u64)]) -> Upload {
        let mut upload = Upload::new("name".to_owned(), Attributes::of(&HeaderMap::new()));
        for (number, etag, len) in parts {
            let content = Bytes::from(vec![*number as u8; *len as usize]).into();
            upload.put(*number, (*etag).to_owned(), content).unwrap();
        }
        upload
    }

    fn join(upload: &Upload, list: &[(u32, &str)]) -> Result<u64, Problem> {
        let list: Vec<_> =
            list.iter().map(|(number, etag)| (*number, (*etag).to_owned())).collect();
        upload.join(&list).map(|content| content.len())
    }

    #[test]
    fn the_parts_that_are_named_are_joined() {
        let upload =
            upload(&[(1, "old", 1), (3, "c", 7), (2, "b", SMALLEST_PART), (1, "a", SMALLEST_PART)]);
        assert_eq!(join(&upload, &[(1, "a"), (2, "b"), (3, "c")]), Ok(2 * SMALLEST_PART + 7));
        assert_eq!(join(&upload, &[(1, "a"), (3, "c")]), Ok(SMALLEST_PART + 7));
    }

    #[test]
    fn a_wrong_list_is_refused() {
        let upload = upload(&[(1, "a", SMALLEST_PART - 1), (2, "b", 1)]);
        for (list, problem) in [
            (&[][..], Problem::MalformedXml),
            (&[(2, "b"), (1, "a")], Problem::InvalidPartOrder),
            (&[(1, "a"), (1, "a")], Problem::InvalidPartOrder),
            (&[(1, "b")], Problem::InvalidPart),
            (&[(1, "a"), (2, "b")], Problem::EntityTooSmall),
            (&[(3, "c")], Problem::InvalidPart),
        ] {
            assert_eq!(join(&upload, list), Err(problem), "{list:?}");
        }
    }

    #[test]
    fn parts_are_numbered_from_1_to_10_000() {
        let mut upload = upload(&[(1, "a", 1), (PARTS, "z", 1)]);
        for number in [0, PARTS + 1] {
            upload.put(number, String::new(), Content::default()).unwrap_err();
        }
    }
}
