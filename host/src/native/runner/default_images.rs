//! The image of a container where neither closure nor environment names one.

use crate::environment::RunEnvironment;

/// The image that the user chose, or those of this very version.
#[derive(Debug, Clone)]
pub(crate) struct DefaultImages {
    plain: String,
    /// There are no commands in the plain one of ours.
    with_commands: String,
}

impl DefaultImages {
    /// The one that the user chose, if they did.
    pub(crate) fn new(chosen: Option<String>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let or_else = |ours| chosen.clone().unwrap_or(ours);
        Self {
            plain: or_else(format!("spotify/hype:{version}")),
            with_commands: or_else(format!("spotify/hype:{version}-debian")),
        }
    }

    /// That for `env`, where `named` isn't another.
    pub(crate) fn image<'a>(&'a self, named: Option<&'a str>, env: &RunEnvironment) -> &'a str {
        named.unwrap_or(match env.commands() {
            [] => &self.plain,
            _ => &self.with_commands,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_an_image_with_commands_in_it() {
        let plain = RunEnvironment::new();
        let commands = plain.allow_command("uname");
        let ours = DefaultImages::new(None);
        assert_eq!(ours.image(None, &plain), "spotify/hype:0.1.0");
        assert_eq!(ours.image(None, &commands), "spotify/hype:0.1.0-debian");
        let chosen = DefaultImages::new(Some("a/b:1".into()));
        assert_eq!(chosen.image(None, &commands), "a/b:1");
        assert_eq!(chosen.image(Some("c"), &commands), "c");
    }
}
