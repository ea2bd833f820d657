//! Container images: pulled unless the daemon has them.

use std::collections::{BTreeSet, HashMap};

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use tokio::sync::Mutex;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::daemon::{ConnectedDaemon, none_if_missing, request_error};
use crate::configuration::Key;
use crate::error::{Error, Result};
use crate::progress::{STEP, size};

/// The hint for an image without `hype-run` as its entrypoint.
const ENTRYPOINT_HINT: &str =
    "install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]";

/// Pulls missing images, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Images(Mutex<()>);

/// The relevant properties of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// The names of the environment variables that the image sets.
    pub(crate) variables: BTreeSet<String>,
}

impl Images {
    /// Returns the image `name`, after pulling it if the daemon lacks it.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if the pull fails; [`Input`](crate::ErrorKind::Input) if the image has no
    /// entrypoint.
    pub(crate) async fn find(&self, daemon: &ConnectedDaemon, name: &str) -> Result<Image> {
        let found = self.find_or_pull(daemon, name).await;
        found.map_err(|error| error.concerning_value(Key::Image, name))
    }

    async fn find_or_pull(&self, daemon: &ConnectedDaemon, name: &str) -> Result<Image> {
        check_name(name)?;
        if let Some(found) = inspect(daemon, name).await? {
            return read_image(name, found);
        }
        let _one = self.0.lock().await;
        // A concurrent run may have pulled it meanwhile.
        if inspect(daemon, name).await?.is_none() {
            let span = tracing::info_span!("pull", image = name, layers = Empty);
            pull(daemon, name).instrument(span).await?;
        }
        match inspect(daemon, name).await? {
            Some(found) => read_image(name, found),
            None => Err(Error::runner(
                format!("cannot use the image {name}"),
                "it was pulled, and removed again",
            )),
        }
    }
}

async fn inspect(daemon: &ConnectedDaemon, name: &str) -> Result<Option<ImageInspect>> {
    none_if_missing(daemon.retry.run(|| daemon.docker.inspect_image(name)).await)
        .map_err(|error| request_error(format!("cannot look for the image {name}"), error))
}

fn read_image(name: &str, found: ImageInspect) -> Result<Image> {
    let config = found.config.unwrap_or_default();
    if config.entrypoint.is_none_or(|entrypoint| entrypoint.is_empty()) {
        let problem =
            format!("the image {name} has no entrypoint, but needs hype-run as entrypoint");
        return Err(Error::input(problem).hint(ENTRYPOINT_HINT));
    }
    let variables = config.env.unwrap_or_default().into_iter();
    let name = |variable: String| Some(variable.split_once('=')?.0.to_owned());
    Ok(Image { variables: variables.filter_map(name).collect() })
}

async fn pull(daemon: &ConnectedDaemon, name: &str) -> Result<()> {
    tracing::info!(target: STEP, "pulling {name}");
    // A retry skips the layers that were fetched before.
    let pulled = daemon.retry.run_slow(|| pull_once(&daemon.docker, name)).await;
    pulled.map_err(|error| {
        request_error(format!("cannot pull the image {name}"), error).hint(
            "hype pulls without credentials: docker pull it by hand if it is private; \
             RunEnvironment::with_image, HYPE_IMAGE and hype.toml name another",
        )
    })?;
    tracing::info!(target: STEP, "pulled {name}");
    Ok(())
}

async fn pull_once(docker: &Docker, name: &str) -> std::result::Result<(), DockerError> {
    let options = CreateImageOptionsBuilder::default().from_image(&with_tag(name)).build();
    let mut progress = docker.create_image(Some(options), None, None);
    let mut layers = Layers::default();
    while let Some(info) = progress.next().await {
        layers.record(info?);
        Span::current().record("layers", layers.progress());
    }
    Ok(())
}

/// Adds the tag `latest` to a name without a tag, since the daemon would pull all tags.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// Checks that `name` is safe to put into a URL.
fn check_name(name: &str) -> Result<()> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if !name.is_empty()
        && name.chars().all(is_fine)
        && !name.starts_with('/')
        && !name.contains("..")
    {
        return Ok(());
    }
    Err(Error::input(format!("`{name}` cannot be an image's name"))
        .hint("write it as `docker pull` takes it: registry/name:tag"))
}

/// The progress of each layer by its ID: downloaded bytes and total bytes.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn record(&mut self, info: CreateImageInfo) {
        let (Some(id), Some(progress)) = (info.id, info.progress_detail) else { return };
        // The progress of unpacking is not shown.
        if info.status.as_deref() != Some("Downloading") {
            return;
        }
        let bytes = |count: Option<i64>| count.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        self.0.insert(id, (bytes(progress.current), bytes(progress.total)));
    }

    fn progress(&self) -> String {
        let done: u64 = self.0.values().map(|(done, _)| done).sum();
        let total: u64 = self.0.values().map(|(_, total)| total).sum();
        format!("{}/{}", size(done), size(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ImageConfig, ProgressDetail};

    #[test]
    fn image_without_entrypoint_is_rejected_with_a_hint() {
        let image = |entrypoint: Option<&[&str]>, env: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|it| it.to_string()).collect::<Vec<_>>();
            let config = ImageConfig {
                entrypoint: entrypoint.map(owned),
                env: Some(owned(env)),
                ..Default::default()
            };
            read_image("a/b:1", ImageInspect { config: Some(config), ..Default::default() })
        };
        for entrypoint in [None, Some(&[][..])] {
            let error = image(entrypoint, &[]).unwrap_err();
            assert!(error.to_string().contains("a/b:1 has no entrypoint"), "{error:?}");
            assert!(error.report().contains("ENTRYPOINT [\"hype-run\"]"), "{error:?}");
        }
        let hype_run = Some(&["hype-run"][..]);
        let variables = image(hype_run, &["A=1", "KEY=a=b"]).unwrap().variables;
        assert_eq!(variables, ["A", "KEY"].map(str::to_owned).into());
    }

    #[test]
    fn single_tag_is_pulled() {
        for (name, pulled) in [
            ("debian", "debian:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("a/b:1", "a/b:1"),
            ("a@sha256:0f", "a@sha256:0f"),
        ] {
            assert_eq!(with_tag(name), pulled);
        }
    }

    #[test]
    fn image_name_cannot_change_the_url() {
        for name in ["", "a b", "a?b", "a#b", "/a", "../a", "a/../b", "a%2fb"] {
            let error = check_name(name).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}` cannot be an image's name"));
        }
        assert!(check_name("us.gcr.io:443/my_image/x:42").is_ok());
    }

    #[test]
    fn progress_sums_all_layers() {
        let mut layers = Layers::default();
        let mut record = |id: &str, status: &str, current, total| {
            let progress_detail =
                Some(ProgressDetail { current: Some(current), total: Some(total) });
            let (id, status) = (Some(id.to_owned()), Some(status.to_owned()));
            layers.record(CreateImageInfo { id, status, progress_detail, ..Default::default() });
        };
        record("a", "Downloading", 1 << 20, 2 << 20);
        record("b", "Downloading", 1 << 20, 1 << 20);
        record("a", "Downloading", 2 << 20, 2 << 20);
        record("b", "Extracting", 1, 1 << 20);
        assert_eq!(layers.progress(), "3.00 MiB/3.00 MiB");
    }
}
