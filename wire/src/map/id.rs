use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::run_id::RunId;

/// The id of a staged map, unique in its stage. It is the id of the run that staged the map, and has the same form.
///
/// ```
/// use hype_wire::MapId;
///
/// let id: MapId = "hype-run-7f3k".parse().unwrap();
/// assert_eq!(id.run_id().as_str(), "hype-run-7f3k");
/// assert!("a/b".parse::<MapId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MapId(RunId);

impl MapId {
    /// Returns the id of the run that staged the map.
    pub fn run_id(&self) -> &RunId {
        &self.0
    }
}

impl From<RunId> for MapId {
    fn from(id: RunId) -> Self {
        Self(id)
    }
}

impl FromStr for MapId {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        let id = text.parse().map(Self);
        id.map_err(|error: WireError| WireError::new("this is no id of a map").because(error))
    }
}

impl Deref for MapId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
