use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::http_grant::HttpGrant;

/// The grants of a closure beyond computing. Anything not listed is denied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Powers {
    /// Hosts to which the closure may send HTTP requests.
    pub http: Vec<HttpGrant>,
    /// Programs that the closure may start.
    pub commands: Vec<CommandName>,
    /// The rights of these programs; those that aren't named have none.
    pub command_rights: BTreeMap<CommandName, CommandRights>,
}

/// The rights of a granted command beyond computing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandRights {
    /// Whether it has a network.
    pub network: bool,
    /// The environment variables that a closure may set for it, besides the job's own.
    pub variables: BTreeSet<VariableName>,
}

/// The name of an environment variable that a closure may set for a command: one that leads no program to other
/// programs or libraries, whatever the command is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableName(String);

impl VariableName {
    /// Variables by which the linker, the C library or a shell finds or runs other files.
    const LEADING: &[&str] =
        &["BASH_ENV", "ENV", "GCONV_PATH", "GLIBC_TUNABLES", "IFS", "PATH", "SHELLOPTS"];

    /// The beginnings of further ones.
    const LEADING_PREFIXES: &[&str] = &["BASH_FUNC_", "LD_"];

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VariableName {
    type Error = WireError;

    fn try_from(name: String) -> Result<Self, WireError> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(WireError::new(format!(
                "`{name}` is not the name of a variable: it must not be empty, nor hold `=` or a zero byte"
            )));
        }
        let is_leading = Self::LEADING.contains(&name.as_str())
            || Self::LEADING_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if is_leading {
            return Err(WireError::new(format!(
                "a closure cannot set the variable {name} of a command, which leads to other programs"
            )));
        }
        Ok(Self(name))
    }
}

impl From<VariableName> for String {
    fn from(name: VariableName) -> Self {
        name.0
    }
}

/// The name of a program that a closure may start: a file name in a directory of `PATH`, not a path.
///
/// ```
/// use hype_wire::CommandName;
///
/// assert_eq!(CommandName::try_from("curl".to_owned())?.as_str(), "curl");
/// assert!(CommandName::try_from("/bin/curl".to_owned()).is_err());
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandName(String);

impl CommandName {
    /// Returns the name.
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
            "`{name}` is not the name of a command: write it without a path, such as `curl`"
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
    fn path_is_rejected_as_command_name() {
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
    fn variables_that_lead_to_programs_are_rejected_by_name() {
        for name in ["PATH", "LD_PRELOAD", "LD_", "BASH_ENV", "BASH_FUNC_ls%%", "GCONV_PATH"] {
            let error = VariableName::try_from(name.to_owned()).unwrap_err().to_string();
            assert!(error.contains(&format!("the variable {name} of")), "{error}");
        }
        for name in ["", "A=B", "A\0"] {
            assert!(VariableName::try_from(name.to_owned()).is_err(), "{name}");
        }
        for name in ["LANG", "GIT_SSH_COMMAND", "MY_PATH"] {
            assert_eq!(VariableName::try_from(name.to_owned()).unwrap().as_str(), name);
        }
    }

    #[test]
    fn manifest_without_commands_grants_none() {
        #[derive(Serialize)]
        struct Before {
            http: Vec<HttpGrant>,
        }
        let before = Before { http: vec!["a.example".parse().unwrap()] };
        let bytes = crate::object::to_vec(&before).unwrap();
        let powers: Powers = crate::object::from_slice(&bytes).unwrap();
        assert_eq!(powers, Powers { http: before.http, ..Powers::default() });
    }
}
