//! The `Debug` form of an environment.

use std::fmt;

use hype_wire::Access;

use crate::environment::mount::VolumeMount;
use crate::environment::{CommandGrant, RunEnvironment};

/// Formats the settings that are set. Of environment variables only the names are included, since values may be secret.
impl fmt::Debug for RunEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RunEnvironment");
        if let Some(image) = self.image() {
            text.field("image", &image);
        }
        if !self.requests().is_empty() {
            text.field("requests", self.requests());
        }
        if !self.env().is_empty() {
            text.field("env", &self.env().keys().collect::<Vec<_>>());
        }
        if !self.files().is_empty() {
            text.field("files", &self.files().keys().collect::<Vec<_>>());
        }
        if !self.dirs().is_empty() {
            text.field("dirs", &self.dirs().keys().collect::<Vec<_>>());
        }
        if !self.mounts().is_empty() {
            text.field("mounts", &self.mounts().iter().map(format_mount).collect::<Vec<_>>());
        }
        if !self.secrets().is_empty() {
            text.field("secrets", self.secrets());
        }
        if let Some(timeout) = self.timeout() {
            text.field("timeout", &timeout);
        }
        if let Some(memory) = self.memory() {
            text.field("memory", &memory);
        }
        if let Some(max_value) = self.max_value() {
            text.field("max_value", &max_value);
        }
        if self.retries() > 0 {
            text.field("retries", &self.retries());
        }
        if let Some(seed) = self.seed() {
            text.field("seed", &seed);
        }
        if self.http().next().is_some() {
            text.field("http", &self.http().collect::<Vec<_>>());
        }
        if !self.commands().is_empty() {
            let names: Vec<_> = self.commands().iter().map(CommandGrant::name).collect();
            text.field("commands", &names);
        }
        #[cfg(feature = "kubernetes")]
        self.placement().add_fields_to(&mut text);
        text.finish()
    }
}

/// Formats the guest's side of a mount as the end of `cargo hype call --mount`: `/data` or `/data:ro`.
fn format_mount(mount: &VolumeMount) -> String {
    match mount.access {
        Access::ReadOnly => format!("{}:ro", mount.path),
        Access::ReadWrite => mount.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::mount::HostDirectory;

    #[test]
    fn debug_hides_values_of_variables() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new().with_env("TOKEN", "hush").with_image("a/b:1");
        let env =
            env.with_mount(here.mount_read_only("/in")).with_mount(here.mount_read_write("/out"));
        assert_eq!(
            format!("{env:?}"),
            r#"RunEnvironment { image: "a/b:1", env: ["TOKEN"], mounts: ["/in:ro", "/out"] }"#
        );
    }
}
