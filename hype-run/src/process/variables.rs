//! What of the environment a command gets: nothing of this process's own but `PATH`, what the guest sees, and
//! what the guest says.

use std::collections::BTreeMap;

/// Variables by which a program is led to other files than its own, or reads its script otherwise.
const LEADING: &[&str] = &["PATH", "GCONV_PATH", "IFS", "BASH_ENV"];

/// What a guest says of a command's variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// Whether it sees none of the guest's.
    pub(crate) clear: bool,
    /// Those of the guest's that it doesn't see.
    pub(crate) removed: Vec<String>,
    /// Those that it sees besides.
    pub(crate) set: Vec<(String, String)>,
}

/// The environment of a command, where the guest sees `seen` and this process's `PATH` is `path`.
///
/// # Errors
///
/// A message, when the guest says what it may not.
pub(crate) fn variables(
    seen: &BTreeMap<String, String>,
    said: &Said,
    path: &str,
) -> Result<BTreeMap<String, String>, String> {
    let mut variables = if said.clear { BTreeMap::new() } else { seen.clone() };
    for name in &said.removed {
        variables.remove(name);
    }
    for (name, value) in &said.set {
        if LEADING.contains(&name.as_str()) || name.starts_with("LD_") {
            return Err(format!(
                "a closure cannot set the variable {name} of a command, which leads to other programs"
            ));
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!(
                "`{name}` cannot be a variable of a command: its name must not be empty nor hold `=`, and \
                 neither it nor its value a zero byte"
            ));
        }
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

    #[test]
    fn a_command_has_the_guests_variables_and_the_runners_path() {
        let seen = of(&[("A", "1"), ("B", "2"), ("PATH", "/guest")]).into_iter().collect();
        let variables = |said: Said| -> Vec<_> {
            variables(&seen, &said, "/bin").unwrap().into_iter().collect()
        };
        assert_eq!(variables(Said::default()), of(&[("A", "1"), ("B", "2"), ("PATH", "/bin")]));
        let said = Said { removed: vec!["A".into(), "PATH".into()], ..Said::default() };
        assert_eq!(variables(said), of(&[("B", "2"), ("PATH", "/bin")]));
        let said = Said { clear: true, set: of(&[("C", "3")]), ..Said::default() };
        assert_eq!(variables(said), of(&[("C", "3"), ("PATH", "/bin")]));
    }

    #[test]
    fn what_leads_to_other_programs_is_refused_by_name() {
        for name in
            ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_", "PATH", "GCONV_PATH", "IFS", "BASH_ENV"]
        {
            let said = Said { set: of(&[("A", ""), (name, "/tmp")]), ..Said::default() };
            let error = variables(&BTreeMap::new(), &said, "/bin").unwrap_err();
            assert!(error.contains(&format!("the variable {name} of")), "{error}");
        }
        for (name, value) in [("", ""), ("A=B", ""), ("A\0", ""), ("A", "\0")] {
            let said = Said { set: of(&[(name, value)]), ..Said::default() };
            assert!(variables(&BTreeMap::new(), &said, "/bin").is_err(), "{name}");
        }
    }
}
