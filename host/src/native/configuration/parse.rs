//! Parses `hype.toml`: the keys at its top are the defaults of its profiles.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::file::unusable;
use super::key::{Key, PROFILES, suggestion};
use crate::error::{Error, Result};

/// The values of a file, each with the name of its profile; `None` for the top of the file.
pub(super) type Values = BTreeMap<Key, (String, Option<String>)>;

/// Reads the file at `path`. The values of `profile` replace those at the top.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input), naming the file, if it can't be read, has an unknown key in any of its profiles,
/// or lacks `profile`.
pub(super) fn read(path: &Path, profile: Option<&str>) -> Result<Values> {
    let text = std::fs::read_to_string(path).map_err(|error| unusable(path, error))?;
    parse(&text, profile).map_err(|error| unusable(path, error))
}

fn parse(text: &str, profile: Option<&str>) -> Result<Values> {
    let table: Table = toml::from_str(text).map_err(|error| {
        Error::input(error.to_string().trim_end())
            .hint("it is TOML, e.g. `submitter = \"local\"`, `[profile.prod]`")
    })?;
    let mut profiles = Table::new();
    let mut values = Values::new();
    for (name, value) in table {
        match value {
            Value::Table(tables) if name == PROFILES => profiles = tables,
            value if name == PROFILES => {
                return Err(Error::input(format!("`{PROFILES}` is {value}, and must be a table"))
                    .hint(format!("write [{PROFILES}.NAME], and choose it by HYPE_PROFILE=NAME")));
            }
            value => values.extend([setting(&name, value, None)?]),
        }
    }
    let mut of_profiles = profiles
        .iter()
        .map(|(name, profile)| Ok((name.as_str(), of_profile(name, profile)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    if let Some(name) = profile {
        let names: Vec<_> = of_profiles.keys().copied().collect();
        let chosen = of_profiles.remove(name).ok_or_else(|| missing(name, &names))?;
        values.extend(chosen);
    }
    Ok(values)
}

fn of_profile(name: &str, profile: &Value) -> Result<Values> {
    let Value::Table(table) = profile else {
        return Err(Error::input(format!("`{PROFILES}.{name}` is not a table"))
            .hint(format!("write [{PROFILES}.{name}] above its keys")));
    };
    let settings = table.iter().map(|(key, value)| setting(key, value.clone(), Some(name)));
    settings.collect()
}

fn setting(
    name: &str,
    value: Value,
    profile: Option<&str>,
) -> Result<(Key, (String, Option<String>))> {
    let key = Key::parse(name)?;
    match value {
        Value::String(value) if !value.is_empty() => Ok((key, (value, profile.map(str::to_owned)))),
        value => Err(Error::input(format!("`{name}` is {value}, and must be a string"))
            .hint(format!("write {name} = \"..\", or remove it"))),
    }
}

/// Returns the error of a profile that a file with the profiles `names` lacks.
fn missing(name: &str, names: &[&str]) -> Error {
    let error = Error::input(format!("there is no profile `{name}` in it"));
    error.hint(match names {
        [] => format!("it has none: add [{PROFILES}.{name}], or remove --profile and HYPE_PROFILE"),
        names => suggestion(name, names, "the profiles are"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "submitter = 'docker'\nimage = 'a/b:1'\n\
        [profile.prod]\nsubmitter = 'kubernetes'\nstaging = 'gs://b'\ncontext = 'gke'\n\
        [profile.laptop]\nsubmitter = 'local'";

    fn parsed(profile: Option<&str>) -> Vec<(Key, String, Option<String>)> {
        let values = parse(FILE, profile).unwrap();
        values.into_iter().map(|(key, (value, profile))| (key, value, profile)).collect()
    }

    #[test]
    fn top_keys_are_defaults_of_profiles() {
        let of = |key, value: &str, profile: Option<&str>| {
            (key, value.to_owned(), profile.map(str::to_owned))
        };
        let image = of(Key::Image, "a/b:1", None);
        assert_eq!(parsed(None), [of(Key::Submitter, "docker", None), image.clone()]);
        assert_eq!(
            parsed(Some("prod")),
            [
                of(Key::Submitter, "kubernetes", Some("prod")),
                of(Key::Staging, "gs://b", Some("prod")),
                image,
                of(Key::Context, "gke", Some("prod")),
            ]
        );
    }

    #[test]
    fn missing_profile_error_names_the_nearest_profile() {
        let report = parse(FILE, Some("pord")).unwrap_err().report();
        assert_eq!(
            report,
            "there is no profile `pord` in it\nHint: did you mean `prod`? the profiles are laptop, prod"
        );
        let report = parse("", Some("prod")).unwrap_err().report();
        assert!(report.contains("add [profile.prod]"), "{report}");
    }

    #[test]
    fn error_names_file_and_mistake() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hype.toml");
        for (text, expected) in [
            ("stagin = 'file:///s'", "did you mean `staging`?"),
            ("[profile.unused]\nstagin = 'file:///s'", "did you mean `staging`?"),
            ("image = 1", "`image` is 1, and must be a string"),
            ("image = ''", "`image` is \"\", and must be a string"),
            ("profile = 'prod'", "write [profile.NAME]"),
            ("[profile]\nprod = 'x'", "write [profile.prod] above its keys"),
            ("image", "it is TOML"),
        ] {
            std::fs::write(&path, text).unwrap();
            let report = read(&path, None).unwrap_err().report();
            assert!(report.starts_with(&format!("cannot use {}", path.display())), "{report}");
            assert!(report.contains(expected), "{report}");
        }
    }
}
