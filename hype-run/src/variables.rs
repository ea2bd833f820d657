//! The environment variables of a guest.
//!
//! In a container, a guest sees the variables of the image and of the container. Variables that hold
//! this process's credentials are hidden from it.

use std::collections::BTreeMap;
use std::fmt;

use hype_stage::Provider;
use hype_wire::launch::{ATTEMPT_VARIABLE, EXECUTION_ID_VARIABLE};
use hype_wire::{Job, is_below};
use serde::{Deserialize, Serialize};

/// Environment variables of the runner's machine. A guest sees those that hold no credentials.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Returns an empty set of variables.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns the variables of this process whose names and values are UTF-8.
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(utf8).collect())
    }

    /// Returns the environment of the guest of `job`. Variables of the job override those of the
    /// machine, and variables that describe the run override both.
    pub(crate) fn for_guest(
        &self,
        job: &Job,
        run_id: &str,
        attempt: u32,
    ) -> BTreeMap<String, String> {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut variables = BTreeMap::from([("PATH".to_owned(), path.to_owned())]);
        let is_visible = |(name, value): &(&String, &String)| match name.as_str() {
            name if holds_secret(name) => false,
            name if names_secret_file(name) => is_mounted(value, job),
            _ => true,
        };
        let owned = |(name, value): (&String, &String)| (name.clone(), value.clone());
        variables.extend(self.0.iter().filter(is_visible).map(owned));
        // The home directory of the runner's user doesn't exist in the guest.
        variables.insert("HOME".to_owned(), "/".to_owned());
        variables.extend(job.env.iter().map(owned));
        variables.insert(EXECUTION_ID_VARIABLE.to_owned(), run_id.to_owned());
        variables.insert(ATTEMPT_VARIABLE.to_owned(), attempt.to_string());
        variables
    }
}

/// Returns whether the value of the variable `name` is secret, or is the address of a server that
/// returns credentials.
fn holds_secret(name: &str) -> bool {
    Provider::all().any(|provider| provider.secret_variables().contains(&name))
}

/// Returns whether the value of the variable `name` is the path of a file with credentials.
fn names_secret_file(name: &str) -> bool {
    Provider::all().any(|provider| provider.secret_file_variables().contains(&name))
}

/// Returns whether the file at `path` of this machine is mounted at the same path in the guest.
fn is_mounted(path: &str, job: &Job) -> bool {
    let mut mounts = job.mounts.iter().filter(|mount| mount.source == mount.path.as_str());
    mounts.any(|mount| is_below(path, &mount.path))
}

impl fmt::Debug for Variables {
    /// Writes the names only, since values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::{Access, Blob, ComponentRef, Mount};

    fn job() -> Job {
        let component = ComponentRef { name: "a.wasm".into(), blob: Blob::of(b"a") };
        let mut job = Job::new(component);
        job.mounts = vec![Mount {
            source: "/etc/gcloud".into(),
            path: "/etc/gcloud".parse().unwrap(),
            access: Access::ReadOnly,
        }];
        job
    }

    fn guest_variables(of_machine: &[(&str, &str)], job: &Job) -> BTreeMap<String, String> {
        let of_machine =
            of_machine.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut variables = Variables(of_machine.collect()).for_guest(job, "run-1", 2);
        assert_eq!(variables.remove("HYPE_EXECUTION_ID").as_deref(), Some("run-1"));
        assert_eq!(variables.remove("HYPE_ATTEMPT").as_deref(), Some("2"));
        variables
    }

    #[test]
    fn secret_variables_are_hidden() {
        let names: Vec<_> = Provider::all().flat_map(Provider::secret_variables).copied().collect();
        for expected in ["AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "GOOGLE_BEARER_TOKEN"] {
            assert!(names.contains(&expected), "{expected}");
        }
        for name in &names {
            assert!(!guest_variables(&[(name, "hush")], &job()).contains_key(*name), "{name}");
        }
        let variables: Vec<_> = names.iter().map(|name| (*name, "hush")).collect();
        assert!(!format!("{:?}", guest_variables(&variables, &job())).contains("hush"));
    }

    #[test]
    fn path_of_secret_file_is_visible_if_the_file_is_mounted() {
        for name in Provider::all().flat_map(Provider::secret_file_variables) {
            let is_visible = |value| guest_variables(&[(name, value)], &job()).contains_key(*name);
            assert!(is_visible("/etc/gcloud/key.json"), "{name}");
            assert!(!is_visible("/etc/gcloud-of-the-stage/key.json"), "{name}");
        }
        assert!(names_secret_file("GOOGLE_APPLICATION_CREDENTIALS"));
    }

    #[test]
    fn job_variables_override_machine_variables() {
        let mut job = job();
        job.env = [("GREETING", "theirs"), ("HYPE_ATTEMPT", "9"), ("AWS_ACCESS_KEY_ID", "theirs")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let of_machine = [
            ("HOSTNAME", "h"),
            ("HOME", "/root"),
            ("PATH", "/opt/bin"),
            ("GREETING", "ours"),
            ("AWS_ACCESS_KEY_ID", "ours"),
        ];
        let expected = [
            ("AWS_ACCESS_KEY_ID", "theirs"),
            ("GREETING", "theirs"),
            ("HOME", "/"),
            ("HOSTNAME", "h"),
            ("PATH", "/opt/bin"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(guest_variables(&of_machine, &job), BTreeMap::from(expected));
    }

    #[test]
    fn debug_of_variables_omits_their_values() {
        let variables = Variables([("KEY".to_owned(), "hush".to_owned())].into());
        assert_eq!(format!("{variables:?}"), r#"{"KEY"}"#);
    }
}
