//! Which variables of its machine a guest may see.
//!
//! In a container they are those of the image and of whoever started it, which a function may well
//! want; but the same environment tells this process who it is, and that is nobody else's to know.

use std::collections::BTreeMap;
use std::fmt;

use hype_stage::Provider;
use hype_wire::launch::{ATTEMPT, EXECUTION_ID};
use hype_wire::{Job, is_below};

/// Environment variables of the runner's machine, which a guest sees so far as they hold no keys.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// None at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of this process that are text.
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(utf8).collect())
    }

    /// Returns the environment of the guest of `job`: of these variables those that it may see, then
    /// those that it asked for, then those that describe the run.
    pub(crate) fn seen(&self, job: &Job, run_id: &str, attempt: u32) -> BTreeMap<String, String> {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut seen = BTreeMap::from([("PATH".to_owned(), path.to_owned())]);
        let may_be_seen = |(name, value): &(&String, &String)| match name.as_str() {
            name if holds_secret(name) => false,
            name if names_secret_file(name) => is_shown(value, job),
            _ => true,
        };
        let owned = |(name, value): (&String, &String)| (name.clone(), value.clone());
        seen.extend(self.0.iter().filter(may_be_seen).map(owned));
        // The home directory of the runner's user is no place in the guest.
        seen.insert("HOME".to_owned(), "/".to_owned());
        seen.extend(job.env.iter().map(owned));
        seen.insert(EXECUTION_ID.to_owned(), run_id.to_owned());
        seen.insert(ATTEMPT.to_owned(), attempt.to_string());
        seen
    }
}

/// Whether the value of the variable `name` is secret, or leads to a server that hands out secrets.
fn holds_secret(name: &str) -> bool {
    Provider::all().any(|provider| provider.secret_variables().contains(&name))
}

/// Whether the value of the variable `name` is the path of a file with secrets.
fn names_secret_file(name: &str) -> bool {
    Provider::all().any(|provider| provider.secret_file_variables().contains(&name))
}

/// Whether the guest sees the file at `path` of its machine, and at that very path.
fn is_shown(path: &str, job: &Job) -> bool {
    let mut mounts = job.mounts.iter().filter(|mount| mount.source == mount.path);
    mounts.any(|mount| is_below(path, &mount.path))
}

impl fmt::Debug for Variables {
    /// Names alone, since values are keys.
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
            path: "/etc/gcloud".into(),
            access: Access::ReadOnly,
        }];
        job
    }

    fn seen(variables: &[(&str, &str)], job: &Job) -> BTreeMap<String, String> {
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut seen = Variables(variables.collect()).seen(job, "run-1", 2);
        assert_eq!(seen.remove("HYPE_EXECUTION_ID").as_deref(), Some("run-1"));
        assert_eq!(seen.remove("HYPE_ATTEMPT").as_deref(), Some("2"));
        seen
    }

    #[test]
    fn secret_variables_are_not_seen() {
        let names: Vec<_> = Provider::all().flat_map(Provider::secret_variables).copied().collect();
        for expected in ["AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "GOOGLE_BEARER_TOKEN"] {
            assert!(names.contains(&expected), "{expected}");
        }
        for name in &names {
            assert!(!seen(&[(name, "hush")], &job()).contains_key(*name), "{name}");
        }
        let variables: Vec<_> = names.iter().map(|name| (*name, "hush")).collect();
        assert!(!format!("{:?}", seen(&variables, &job())).contains("hush"));
    }

    #[test]
    fn path_of_secret_file_is_seen_where_the_file_is() {
        for name in Provider::all().flat_map(Provider::secret_file_variables) {
            let seen = |value| seen(&[(name, value)], &job()).contains_key(*name);
            assert!(seen("/etc/gcloud/key.json"), "{name}");
            assert!(!seen("/etc/gcloud-of-the-stage/key.json"), "{name}");
        }
        assert!(names_secret_file("GOOGLE_APPLICATION_CREDENTIALS"));
    }

    #[test]
    fn variables_of_the_job_override_those_of_the_machine() {
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
        assert_eq!(seen(&of_machine, &job), BTreeMap::from(expected));
    }

    #[test]
    fn values_are_not_shown() {
        let variables = Variables([("KEY".to_owned(), "hush".to_owned())].into());
        assert_eq!(format!("{variables:?}"), r#"{"KEY"}"#);
    }
}
