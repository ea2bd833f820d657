//! The ids of runs.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::names;
use crate::shorten::shorten;

/// The maximum number of quoted bytes of a text that is no id.
const MAX_QUOTED: usize = 100;

/// The id of a run, unique in its stage: 1 to 63 lower-case letters, digits and `-`.
///
/// So it can be part of an object's name, a URL, a label, the name of a container and that of a Pod. A text from a stage
/// becomes one only by parsing.
///
/// ```
/// use hype_wire::RunId;
///
/// let id: RunId = "hype-run-7f3k".parse().unwrap();
/// assert_eq!(&*id, "hype-run-7f3k");
/// assert!("prod/pods?x=1#".parse::<RunId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(Arc<str>);

impl RunId {
    /// Returns the id that `number` gives a run: `hype-run-` and ten letters and digits.
    pub fn of_number(number: u64) -> Self {
        Self(format!("hype-run-{}", names::letters(number)).into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        if names::is_run_id(text) {
            return Ok(Self(text.into()));
        }
        Err(WireError::new(format!(
            "`{}` is not the id of a run: it has 1 to 63 lower-case letters, digits and `-`",
            shorten(text.to_owned(), MAX_QUOTED)
        )))
    }
}

impl TryFrom<String> for RunId {
    type Error = WireError;

    fn try_from(text: String) -> Result<Self, WireError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.as_str().to_owned()
    }
}

impl Deref for RunId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq<str> for RunId {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{from_slice, to_vec};

    #[test]
    fn paths_and_urls_are_rejected_as_run_ids() {
        let longest = "a".repeat(63);
        let of_number = RunId::of_number(u64::MAX);
        assert_eq!(of_number.parse::<RunId>().unwrap(), of_number);
        for text in ["hype-run-7f3k", "r", &longest] {
            assert_eq!(text.parse::<RunId>().unwrap().as_str(), text);
        }
        let too_long = "a".repeat(64);
        for text in
            ["", "..", "a/b", "A", "a b", "a?b", "a#b", "a%2fb", "a\n", "\u{1b}", "é", &too_long]
        {
            let error = text.parse::<RunId>().unwrap_err().to_string();
            assert!(error.contains("is not the id of a run"), "{error}");
            let bytes = to_vec(text).unwrap();
            assert!(from_slice::<RunId>(&bytes).is_err(), "{text:?} was decoded");
        }
    }
}
