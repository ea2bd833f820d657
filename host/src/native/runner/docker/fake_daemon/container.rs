//! Containers of the fake daemon, and their descriptions in its responses.

use serde_json::{Value, json};

/// A container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    pub(crate) body: Value,
    /// The number of starts of this container.
    pub(crate) starts: u32,
    /// The exit status, once the container has ended.
    pub(crate) status: Option<i64>,
    /// Its standard output.
    pub(crate) output: String,
}

/// The prefix of IDs: a container has the ID `id-of-NAME`.
pub(super) const ID: &str = "id-of-";

/// Returns the name of the container with this name or ID.
pub(super) fn name_of(name_or_id: &str) -> &str {
    name_or_id.strip_prefix(ID).unwrap_or(name_or_id)
}

impl Container {
    pub(super) fn state(&self) -> &'static str {
        match (self.starts, self.status) {
            (0, _) => "created",
            (_, None) => "running",
            (_, Some(_)) => "exited",
        }
    }

    /// Returns whether it runs the items of a map.
    pub(super) fn runs_items(&self) -> bool {
        self.body["Cmd"][0] == "items"
    }

    /// Returns the names of the volumes that it uses.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        let mounts = self.body["HostConfig"]["Mounts"].as_array();
        mounts.into_iter().flatten().filter_map(|mount| mount["Source"].as_str())
    }
}

pub(super) fn summary(name: &str, container: &Container) -> Value {
    json!({"Id": format!("{ID}{name}"), "Names": [format!("/{name}")], "State": container.state(), "Created": 1,
        "Labels": container.body["Labels"]})
}

pub(super) fn inspected(name: &str, container: &Container) -> Value {
    let state = json!({"Status": container.state(), "Running": container.state() == "running",
        "ExitCode": container.status.unwrap_or_default()});
    let config = json!({"Image": "a/b:1", "Labels": container.body["Labels"]});
    json!({"Id": format!("{ID}{name}"), "Name": format!("/{name}"), "State": state, "Config": config})
}
