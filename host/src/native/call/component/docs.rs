//! The doc comments of a WIT package.

use serde_json::Value;

/// The doc comments in a component's section `package-docs`.
#[derive(Debug, Default)]
pub(super) struct Docs(Value);

impl Docs {
    /// Reads the section: the number of its version, and JSON. A section in another format has no comments.
    pub(super) fn of(section: &[u8]) -> Self {
        let json = match section {
            [0 | 1, json @ ..] => json,
            _ => &[],
        };
        Self(serde_json::from_slice(json).unwrap_or_default())
    }

    /// Returns the name of `interface` without its package and version.
    pub(super) fn key(interface: &str) -> &str {
        let name = interface.split_once('@').map_or(interface, |(name, _)| name);
        name.rsplit_once('/').map_or(name, |(_, name)| name)
    }

    /// Returns the comment of a function of `interface`, or of a world; empty if there is none.
    pub(super) fn of_function(&self, interface: Option<&str>, name: &str) -> String {
        let comment = |functions: &Value| {
            let docs = &functions[name];
            docs.as_str().or_else(|| docs["docs"].as_str()).map(str::to_owned)
        };
        let found = match interface {
            Some(interface) => comment(&self.0["interfaces"][Self::key(interface)]["funcs"]),
            None => {
                let worlds = self.0["worlds"].as_object().into_iter().flat_map(|it| it.values());
                let mut functions = worlds.flat_map(|it| [&it["func_exports"], &it["funcs"]]);
                functions.find_map(comment)
            }
        };
        found.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_both_formats_are_found() {
        let json =
            br#"{"interfaces": {"stats": {"funcs": {"top": "Counts.", "all": {"docs": "All."}}}},
                        "worlds": {"w": {"func_exports": {"greet": {"docs": "Greets."}}}}}"#;
        let docs = Docs::of(&[&[1], &json[..]].concat());
        assert_eq!(docs.of_function(Some("acme:text/stats@1.2.0"), "top"), "Counts.");
        assert_eq!(docs.of_function(Some("acme:text/stats"), "all"), "All.");
        assert_eq!(docs.of_function(None, "greet"), "Greets.");
        assert_eq!(docs.of_function(None, "top"), "");
        assert_eq!(Docs::of(&[7]).of_function(None, "greet"), "");
    }
}
