//! Parses the URL of a stage. Opens nothing.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::error::{StageError, StageErrorKind};
use crate::provider::Provider;

/// The location that a stage's URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// Objects in this process.
    Memory {
        /// The name of the in-memory store.
        name: String,
        /// The prefix of the objects.
        prefix: Path,
    },
    /// A bucket or container of a provider.
    Bucket {
        /// The storage provider.
        provider: &'static Provider,
        /// The name of the bucket or container.
        bucket: String,
        /// The account, if the URL names one.
        account: Option<String>,
        /// The prefix of the objects.
        prefix: Path,
    },
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, StageError> {
        let parsed = Url::parse(url).map_err(|error| {
            let message = format!(
                "`{url}` is not a stage's URL, such as gs://bucket/prefix or file:///var/tmp/hype"
            );
            StageError::new(StageErrorKind::Location, message).because(error)
        })?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(invalid(format!("`{url}` has a `?` or `#`, which no stage's URL has")));
        }
        match parsed.scheme() {
            "file" => parsed.to_file_path().map(Self::Directory).map_err(|()| {
                invalid(format!("`{url}` is not an absolute path; write file:///absolute/path"))
            }),
            "memory" => {
                let (name, prefix) = host_and_prefix(&parsed, "memory://name/prefix")?;
                Ok(Self::Memory { name, prefix })
            }
            scheme => match Provider::of_scheme(scheme) {
                Some(provider) => bucket(provider, &parsed),
                None => Err(invalid(format!(
                    "no stage is at {scheme}:// ({url}); there are: {}",
                    schemes().join(", ")
                ))),
            },
        }
    }

    /// Returns the storage provider, or `None` for a directory or memory.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        match self {
            Self::Directory(_) | Self::Memory { .. } => None,
            Self::Bucket { provider, .. } => Some(provider),
        }
    }
}

/// Returns the schemes of all stages, such as `gs://`.
fn schemes() -> Vec<String> {
    let of_providers = Provider::all().flat_map(Provider::schemes).copied();
    let all = std::iter::once("file").chain(of_providers).chain(["memory"]);
    all.map(|scheme| format!("{scheme}://")).collect()
}

fn bucket(provider: &'static Provider, url: &Url) -> Result<Location, StageError> {
    let form = provider.form;
    let (host, prefix) = host_and_prefix(url, form)?;
    let (bucket, account) = match (provider.account_domains, url.username()) {
        ([], "") => (host, None),
        ([], _) => return Err(invalid(format!("`{url}` names a user; write {form}"))),
        (domains, user) => {
            let parts = bucket_and_account(user, &host, domains);
            parts.ok_or_else(|| invalid(format!("`{url}` names no container; write {form}")))?
        }
    };
    Ok(Location::Bucket { provider, bucket, account, prefix })
}

/// Parses the authority of `az://CONTAINER/PREFIX`, the form of Azure's tools, or of
/// `abfss://CONTAINER@ACCOUNT.DOMAIN/PREFIX`, the form of Hadoop.
fn bucket_and_account(
    user: &str,
    host: &str,
    domains: &[&str],
) -> Option<(String, Option<String>)> {
    match (user, host.split_once('.')) {
        ("", None) => Some((host.to_owned(), None)),
        (container, Some((account, domain)))
            if !container.is_empty() && domains.contains(&domain) =>
        {
            Some((container.to_owned(), Some(account.to_owned())))
        }
        _ => None,
    }
}

fn host_and_prefix(url: &Url, form: &str) -> Result<(String, Path), StageError> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let (Some(host), None) = (host, url.port()) else {
        return Err(invalid(format!("`{url}` names no bucket; write {form}")));
    };
    let prefix = Path::from_url_path(url.path()).map_err(|error| {
        let message = format!("objects cannot lie below `{url}`");
        StageError::new(StageErrorKind::Location, message).because(error)
    })?;
    Ok((host.to_owned(), prefix))
}

fn invalid(message: String) -> StageError {
    StageError::new(StageErrorKind::Location, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Location {
        Location::parse(url).unwrap()
    }

    fn in_bucket(feature: &str, bucket: &str, account: Option<&str>, at: &str) -> Location {
        let provider = Provider::all().find(|it| it.feature() == feature).unwrap();
        let (bucket, account) = (bucket.to_owned(), account.map(str::to_owned));
        Location::Bucket { provider, bucket, account, prefix: Path::from(at) }
    }

    #[test]
    fn stage_urls_parse() {
        assert_eq!(parsed("file:///var/my%20stage"), Location::Directory("/var/my stage".into()));
        let memory = Location::Memory { name: "one".to_owned(), prefix: Path::from("a/b") };
        assert_eq!(parsed("memory://one/a/b/"), memory);
        assert_eq!(parsed("gs://my_bucket"), in_bucket("gcs", "my_bucket", None, ""));
        assert_eq!(parsed("gs://B.x/a b/"), in_bucket("gcs", "B.x", None, "a b"));
        assert_eq!(parsed("s3://b/p/q"), in_bucket("aws", "b", None, "p/q"));
        assert_eq!(parsed("az://c/p"), in_bucket("azure", "c", None, "p"));
        assert_eq!(
            parsed("abfss://c@acc.dfs.core.windows.net/p"),
            in_bucket("azure", "c", Some("acc"), "p")
        );
    }

    #[test]
    fn invalid_stage_url_names_the_fix() {
        for (url, advice) in [
            ("bucket/prefix", "such as gs://bucket/prefix"),
            ("ftp://host/dir", "there are: file://, gs://, s3://"),
            ("file://host/relative", "file:///absolute/path"),
            ("gs:///prefix", "write gs://bucket/prefix"),
            ("gs://bucket:80/prefix", "write gs://bucket/prefix"),
            ("gs://bucket/prefix?a=b", "has a `?` or `#`"),
            ("gs://bucket/a//b", "objects cannot lie below"),
            ("s3://user@bucket", "write s3://bucket/prefix"),
            ("az://container.with.dots/p", "write az://container/prefix"),
            ("abfss://c@account.example.com/p", "write az://container/prefix"),
        ] {
            let error = Location::parse(url).unwrap_err();
            assert_eq!(error.kind(), StageErrorKind::Location);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
