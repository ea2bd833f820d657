//! The default container images, for runs whose closure and environment name none.

use crate::environment::RunEnvironment;

/// The image that the user configured, or hype's own images of this version.
#[derive(Debug, Clone)]
pub(crate) struct DefaultImages {
    plain: String,
    /// An image with commands, which hype's plain image lacks.
    with_commands: String,
}

impl DefaultImages {
    /// Creates the defaults; `configured` replaces both of them.
    pub(crate) fn new(configured: Option<&str>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let chosen_or = |ours| configured.map_or(ours, str::to_owned);
        Self {
            plain: chosen_or(format!("spotify/hype:{version}")),
            with_commands: chosen_or(format!("spotify/hype:{version}-debian")),
        }
    }

    /// Returns `requested`, else the default image for `env`.
    pub(crate) fn image<'a>(&'a self, requested: Option<&'a str>, env: &RunEnvironment) -> &'a str {
        requested.unwrap_or(match env.commands() {
            [] => &self.plain,
            _ => &self.with_commands,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn granted_commands_select_the_debian_image() {
        let plain = RunEnvironment::new();
        let commands = plain.allow_command("uname");
        let ours = DefaultImages::new(None);
        assert_eq!(ours.image(None, &plain), "spotify/hype:0.1.0");
        assert_eq!(ours.image(None, &commands), "spotify/hype:0.1.0-debian");
        let configured = DefaultImages::new(Some("a/b:1"));
        assert_eq!(configured.image(None, &commands), "a/b:1");
        assert_eq!(configured.image(Some("c"), &commands), "c");
    }
}
