//! The profile `release` of a guest.
//!
//! Link-time optimization in one codegen unit makes a component smaller. Values that a manifest, cargo's
//! configuration or an environment variable set take precedence.

use std::ffi::OsString;

use toml::Table;

/// The keys of the profile, their environment variables, and the values of a guest.
const VALUES: [(&str, &str, &str); 2] = [
    ("codegen-units", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("lto", "CARGO_PROFILE_RELEASE_LTO", "fat"),
];

/// Returns the environment variables that set the values which none of `tables` sets: the manifest of the workspace's
/// root and cargo's configuration files. Profiles that inherit `release` get them too.
pub(crate) fn variables(
    tables: &[Table],
    is_set: impl Fn(&str) -> bool,
) -> Vec<(&'static str, Option<OsString>)> {
    let releases: Vec<_> =
        tables.iter().filter_map(|it| it.get("profile")?.get("release")).collect();
    VALUES
        .into_iter()
        .filter(|(key, variable, _)| {
            !is_set(variable) && releases.iter().all(|release| release.get(key).is_none())
        })
        .map(|(_, variable, value)| (variable, Some(value.into())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables_for(tables: &[&str], set: &[&str]) -> Vec<String> {
        let tables: Vec<Table> = tables.iter().map(|it| it.parse().unwrap()).collect();
        let variables = variables(&tables, |name| set.contains(&name));
        let shown = |(name, value): (&str, Option<OsString>)| {
            format!("{name}={}", value.unwrap_or_default().display())
        };
        variables.into_iter().map(shown).collect()
    }

    #[test]
    fn values_of_the_user_take_precedence() {
        let units = "CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1";
        let lto = "CARGO_PROFILE_RELEASE_LTO=fat";
        assert_eq!(variables_for(&["[package]\nname = 'a'", ""], &[]), [units, lto]);
        assert_eq!(variables_for(&["[profile.release]\nlto = false"], &[]), [units]);
        let configuration = "[profile.release]\ncodegen-units = 4";
        assert_eq!(variables_for(&["[profile.dev]\nlto = true", configuration], &[]), [lto]);
        assert_eq!(variables_for(&[], &["CARGO_PROFILE_RELEASE_LTO"]), [units]);
    }
}
