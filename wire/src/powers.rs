use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::http_grant::HttpGrant;

/// What a closure may do beyond computing: nothing that isn't named here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Powers {
    /// Where it may send HTTP requests.
    pub http: Vec<HttpGrant>,
    /// The programs that it may start.
    pub commands: Vec<CommandName>,
}

/// The name of a program that a closure may start: what stands in a directory of `PATH`, and no path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandName(String);

impl CommandName {
    /// It.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CommandName {
    type Error = WireError;

    fn try_from(name: String) -> Result<Self, WireError> {
        let is_name =
            !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
        if is_name {
            return Ok(Self(name));
        }
        Err(WireError::new(format!(
            "`{name}` is not the name of a command: one has no path, as `curl`"
        )))
    }
}

impl From<CommandName> for String {
    fn from(name: CommandName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_without_a_path() {
        for name in ["curl", "g++", "..a", "my tool", "[", "-x"] {
            assert_eq!(CommandName::try_from(name.to_owned()).unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "/bin/sh", "bin/sh", "sh/", "a\0b"] {
            let error = CommandName::try_from(name.to_owned()).unwrap_err().to_string();
            assert!(error.contains("is not the name of a command"), "{error}");
            let bytes = crate::object::to_vec(&name).unwrap();
            assert!(crate::object::from_slice::<CommandName>(&bytes).is_err());
        }
    }

    #[test]
    fn manifests_from_before_grant_no_commands() {
        #[derive(Serialize)]
        struct Before {
            http: Vec<HttpGrant>,
        }
        let before = Before { http: vec!["a.example".parse().unwrap()] };
        let bytes = crate::object::to_vec(&before).unwrap();
        let powers: Powers = crate::object::from_slice(&bytes).unwrap();
        assert_eq!(powers, Powers { http: before.http, commands: Vec::new() });
    }
}
