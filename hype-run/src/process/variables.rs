//! The environment variables of a command: those of the guest, and the changes that the guest is allowed to make.

use std::collections::BTreeMap;

use hype_wire::VariableName;

/// A guest's changes to the environment of a command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// Whether the command gets none of the guest's variables.
    pub(crate) clear: bool,
    /// The names of the guest's variables that the command doesn't get.
    pub(crate) removed: Vec<String>,
    /// The variables to set for the command, with their values.
    pub(crate) set: Vec<(String, String)>,
}

/// Applies `changes` to the guest's variables `seen`, and sets `PATH` to `path`. Returns the environment of the
/// command. `may_set` checks each variable that the guest sets.
///
/// # Errors
///
/// Returns a message for the first change that isn't allowed.
pub(crate) fn variables(
    seen: &BTreeMap<String, String>,
    changes: &Changes,
    path: &str,
    may_set: impl Fn(&VariableName) -> Result<(), String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut variables = if changes.clear { BTreeMap::new() } else { seen.clone() };
    for name in &changes.removed {
        variables.remove(name);
    }
    for (name, value) in &changes.set {
        let named = VariableName::try_from(name.clone()).map_err(|error| error.to_string())?;
        if value.contains('\0') {
            return Err(format!("the value of the variable {name} of a command has a zero byte"));
        }
        may_set(&named)?;
        variables.insert(name.clone(), value.clone());
    }
    variables.insert("PATH".to_owned(), path.to_owned());
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn any(_: &VariableName) -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn command_has_guest_variables_and_runner_path() {
        let seen = of(&[("A", "1"), ("B", "2"), ("PATH", "/guest")]).into_iter().collect();
        let variables = |changes: Changes| -> Vec<_> {
            variables(&seen, &changes, "/bin", any).unwrap().into_iter().collect()
        };
        assert_eq!(variables(Changes::default()), of(&[("A", "1"), ("B", "2"), ("PATH", "/bin")]));
        let changes = Changes { removed: vec!["A".into(), "PATH".into()], ..Changes::default() };
        assert_eq!(variables(changes), of(&[("B", "2"), ("PATH", "/bin")]));
        let changes = Changes { clear: true, set: of(&[("C", "3")]), ..Changes::default() };
        assert_eq!(variables(changes), of(&[("C", "3"), ("PATH", "/bin")]));
    }

    #[test]
    fn variable_outside_the_allow_list_is_rejected() {
        let only = |name: &VariableName| match name.as_str() {
            "GREETING" => Ok(()),
            name => Err(format!("no {name}")),
        };
        let set = |name: &str| {
            let changes = Changes { set: of(&[(name, "x")]), ..Changes::default() };
            variables(&BTreeMap::new(), &changes, "/bin", only)
        };
        assert_eq!(set("GREETING").unwrap()["GREETING"], "x");
        for name in ["OPENSSL_CONF", "GIT_SSH_COMMAND", "greeting"] {
            assert_eq!(set(name).unwrap_err(), format!("no {name}"));
        }
        for name in ["LD_PRELOAD", "BASH_FUNC_ls%%", "PATH"] {
            assert!(set(name).unwrap_err().contains(&format!("the variable {name} of")), "{name}");
        }
    }

    #[test]
    fn zero_byte_in_a_value_is_rejected() {
        let changes = Changes { set: of(&[("A", "\0")]), ..Changes::default() };
        assert!(variables(&BTreeMap::new(), &changes, "/bin", any).is_err());
    }
}
