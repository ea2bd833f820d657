//! From a stage's URL to what it names. Nothing is opened here.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::error::{StageError, StageErrorKind};

/// What a stage's URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A directory of this machine.
    Directory(PathBuf),
    /// Objects in this process.
    Memory {
        /// Which of the stores in this process.
        name: String,
        /// Below what the objects lie.
        prefix: Path,
    },
    /// A bucket of a provider, or what the provider calls so.
    Bucket {
        /// Whose it is.
        provider: Provider,
        /// Its name.
        bucket: String,
        /// The account, where the URL names one.
        account: Option<String>,
        /// Below what the objects lie.
        prefix: Path,
    },
}

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    /// This machine.
    Here,
    /// Google Cloud Storage.
    Google,
    /// Amazon S3, and what speaks its protocol.
    Amazon,
    /// Azure Blob Storage.
    Azure,
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, StageError> {
        let parsed = Url::parse(url).map_err(|error| {
            let message = format!(
                "`{url}` is not a stage's URL, such as gs://bucket/prefix or file:///var/tmp/hype"
            );
            StageError::because(StageErrorKind::Location, message, error)
        })?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(nowhere(format!("`{url}` has a `?` or `#`, which no stage's URL has")));
        }
        match parsed.scheme() {
            "file" => parsed.to_file_path().map(Self::Directory).map_err(|()| {
                nowhere(format!("`{url}` is not an absolute path; write file:///absolute/path"))
            }),
            "memory" => {
                let (name, prefix) = host_and_prefix(&parsed, "memory://name/prefix")?;
                Ok(Self::Memory { name, prefix })
            }
            "gs" => bucket(Provider::Google, &parsed, "gs://bucket/prefix"),
            "s3" => bucket(Provider::Amazon, &parsed, "s3://bucket/prefix"),
            "az" | "abfs" | "abfss" => azure(&parsed),
            scheme => Err(nowhere(format!(
                "no stage is at {scheme}:// ({url}); there are: \
                 file://, gs://, s3://, az://, abfss://, memory://"
            ))),
        }
    }

    /// Who keeps the objects.
    pub(crate) fn provider(&self) -> Provider {
        match self {
            Self::Directory(_) | Self::Memory { .. } => Provider::Here,
            Self::Bucket { provider, .. } => *provider,
        }
    }
}

fn bucket(provider: Provider, url: &Url, form: &str) -> Result<Location, StageError> {
    let (bucket, prefix) = host_and_prefix(url, form)?;
    if !url.username().is_empty() {
        return Err(nowhere(format!("`{url}` names a user; write {form}")));
    }
    Ok(Location::Bucket { provider, bucket, account: None, prefix })
}

/// `az://CONTAINER/PREFIX` as Azure's tools write it, or `abfss://CONTAINER@ACCOUNT.HOST/PREFIX` as
/// Hadoop's do.
fn azure(url: &Url) -> Result<Location, StageError> {
    let form = "az://container/prefix or abfss://container@account.dfs.core.windows.net/prefix";
    let (host, prefix) = host_and_prefix(url, form)?;
    let (bucket, account) = match (url.username(), host.split_once('.')) {
        ("", None) => (host, None),
        (container, Some((account, "dfs.core.windows.net" | "blob.core.windows.net")))
            if !container.is_empty() =>
        {
            (container.to_owned(), Some(account.to_owned()))
        }
        _ => return Err(nowhere(format!("`{url}` names no container; write {form}"))),
    };
    Ok(Location::Bucket { provider: Provider::Azure, bucket, account, prefix })
}

fn host_and_prefix(url: &Url, form: &str) -> Result<(String, Path), StageError> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let (Some(host), None) = (host, url.port()) else {
        return Err(nowhere(format!("`{url}` names no bucket; write {form}")));
    };
    let prefix = Path::from_url_path(url.path()).map_err(|error| {
        let message = format!("objects cannot lie below `{url}`");
        StageError::because(StageErrorKind::Location, message, error)
    })?;
    Ok((host.to_owned(), prefix))
}

fn nowhere(message: String) -> StageError {
    StageError::new(StageErrorKind::Location, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Location {
        Location::parse(url).unwrap()
    }

    fn in_bucket(provider: Provider, bucket: &str, account: Option<&str>, at: &str) -> Location {
        let (bucket, account) = (bucket.to_owned(), account.map(str::to_owned));
        Location::Bucket { provider, bucket, account, prefix: Path::from(at) }
    }

    #[test]
    fn each_form_names_its_place() {
        assert_eq!(parsed("file:///var/my%20stage"), Location::Directory("/var/my stage".into()));
        let memory = Location::Memory { name: "one".to_owned(), prefix: Path::from("a/b") };
        assert_eq!(parsed("memory://one/a/b/"), memory);
        assert_eq!(parsed("gs://my_bucket"), in_bucket(Provider::Google, "my_bucket", None, ""));
        assert_eq!(parsed("gs://B.x/a b/"), in_bucket(Provider::Google, "B.x", None, "a b"));
        assert_eq!(parsed("s3://b/p/q"), in_bucket(Provider::Amazon, "b", None, "p/q"));
        assert_eq!(parsed("az://c/p"), in_bucket(Provider::Azure, "c", None, "p"));
        assert_eq!(
            parsed("abfss://c@acc.dfs.core.windows.net/p"),
            in_bucket(Provider::Azure, "c", Some("acc"), "p")
        );
    }

    #[test]
    fn what_names_no_place_says_what_would() {
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
