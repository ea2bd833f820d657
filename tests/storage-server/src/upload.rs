//! Multipart uploads.

use std::collections::BTreeMap;

use crate::content::Content;
use crate::object::Attributes;
use crate::problem::Problem;

/// The maximum number of parts of an upload.
const MAX_PARTS: u32 = 10_000;

/// The minimum size of every part but the last, in bytes.
const MIN_PART_SIZE: u64 = 5 << 20;

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

    /// Stores a part, and replaces an earlier one of the same number.
    pub(crate) fn put(
        &mut self,
        number: u32,
        etag: String,
        content: Content,
    ) -> Result<(), Problem> {
        if !(1..=MAX_PARTS).contains(&number) {
            let message = format!("Part number must be an integer between 1 and {MAX_PARTS}.");
            return Err(Problem::InvalidArgument(message));
        }
        self.parts.insert(number, Part { etag, content });
        Ok(())
    }

    /// Joins the parts that `list` names by number and ETag.
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
            if position < list.len() && content.len() < MIN_PART_SIZE {
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
    fn listed_parts_are_joined() {
        let upload =
            upload(&[(1, "old", 1), (3, "c", 7), (2, "b", MIN_PART_SIZE), (1, "a", MIN_PART_SIZE)]);
        assert_eq!(join(&upload, &[(1, "a"), (2, "b"), (3, "c")]), Ok(2 * MIN_PART_SIZE + 7));
        assert_eq!(join(&upload, &[(1, "a"), (3, "c")]), Ok(MIN_PART_SIZE + 7));
    }

    #[test]
    fn invalid_part_list_is_rejected() {
        let upload = upload(&[(1, "a", MIN_PART_SIZE - 1), (2, "b", 1)]);
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
    fn part_numbers_are_limited() {
        let mut upload = upload(&[(1, "a", 1), (MAX_PARTS, "z", 1)]);
        for number in [0, MAX_PARTS + 1] {
            upload.put(number, String::new(), Content::default()).unwrap_err();
        }
    }
}
