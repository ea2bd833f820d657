//! Images: used when present, pulled when not.

use std::collections::{BTreeSet, HashMap};

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use tokio::sync::Mutex;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::daemon::{Reached, found, refused};
use crate::error::{Error, Result};
use crate::progress::{STEP, size};

/// What a person must do so that an image can be used.
const WAY_IN: &str = "install hype-run in it and end its Dockerfile with ENTRYPOINT [\"hype-run\"]";

/// What pulls images, one after another.
#[derive(Debug, Default)]
pub(crate) struct Images(Mutex<()>);

/// What is to be known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// The variables that it sets, without their values.
    pub(crate) variables: BTreeSet<String>,
}

impl Images {
    /// The image called `name`, once the daemon has it.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when it can't be pulled, [`Input`](crate::ErrorKind::Input)
    /// when nothing would run in it.
    pub(crate) async fn find(&self, reached: &Reached, name: &str) -> Result<Image> {
        check_name(name)?;
        if let Some(found) = inspect(reached, name).await? {
            return described(name, found);
        }
        let _one = self.0.lock().await;
        // Another run may have waited for the same.
        if inspect(reached, name).await?.is_none() {
            let span = tracing::info_span!("pull", image = name, layers = Empty);
            pull(reached, name).instrument(span).await?;
        }
        match inspect(reached, name).await? {
            Some(found) => described(name, found),
            None => Err(Error::runner(
                format!("cannot use the image {name}"),
                "it was pulled, and is gone again",
            )),
        }
    }
}

async fn inspect(reached: &Reached, name: &str) -> Result<Option<ImageInspect>> {
    found(reached.patience.persist(|| reached.docker.inspect_image(name)).await)
        .map_err(|error| refused(format!("cannot look for the image {name}"), error))
}

fn described(name: &str, found: ImageInspect) -> Result<Image> {
    let config = found.config.unwrap_or_default();
    if config.entrypoint.is_none_or(|entrypoint| entrypoint.is_empty()) {
        let problem = format!("the image {name} has no entrypoint, which would be hype-run");
        return Err(Error::input(problem).hint(WAY_IN));
    }
    let variables = config.env.unwrap_or_default().into_iter();
    let name = |variable: String| Some(variable.split_once('=')?.0.to_owned());
    Ok(Image { variables: variables.filter_map(name).collect() })
}

async fn pull(reached: &Reached, name: &str) -> Result<()> {
    tracing::info!(target: STEP, "pulling {name}");
    // Layers that are there aren't fetched again.
    let pulled = reached.patience.persist_long(|| pull_once(&reached.docker, name)).await;
    pulled.map_err(|error| {
        refused(format!("cannot pull the image {name}"), error).hint(
            "hype pulls without credentials: docker pull it by hand if it is private; \
             RunEnvironment::with_image, HYPE_IMAGE and hype.toml name another",
        )
    })?;
    tracing::info!(target: STEP, "pulled {name}");
    Ok(())
}

async fn pull_once(docker: &Docker, name: &str) -> std::result::Result<(), DockerError> {
    let options = CreateImageOptionsBuilder::default().from_image(&tagged(name)).build();
    let mut told = docker.create_image(Some(options), None, None);
    let mut layers = Layers::default();
    while let Some(info) = told.next().await {
        layers.take(info?);
        Span::current().record("layers", layers.told());
    }
    Ok(())
}

/// Without a tag, the daemon would pull all that there are.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// The name stands in URLs.
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

/// How many bytes of each layer are here, and how many it has.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn take(&mut self, info: CreateImageInfo) {
        let (Some(id), Some(progress)) = (info.id, info.progress_detail) else { return };
        // What is said of the unpacking that follows isn't told.
        if info.status.as_deref() != Some("Downloading") {
            return;
        }
        let bytes = |count: Option<i64>| count.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        self.0.insert(id, (bytes(progress.current), bytes(progress.total)));
    }

    fn told(&self) -> String {
        let here: u64 = self.0.values().map(|(here, _)| here).sum();
        let all: u64 = self.0.values().map(|(_, all)| all).sum();
        format!("{}/{}", size(here), size(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ImageConfig, ProgressDetail};

    #[test]
    fn an_image_without_entrypoint_says_how_to_get_one() {
        let image = |entrypoint: Option<&[&str]>, env: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|it| it.to_string()).collect::<Vec<_>>();
            let config = ImageConfig {
                entrypoint: entrypoint.map(owned),
                env: Some(owned(env)),
                ..Default::default()
            };
            described("a/b:1", ImageInspect { config: Some(config), ..Default::default() })
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
    fn one_tag_is_pulled() {
        for (name, pulled) in [
            ("debian", "debian:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("a/b:1", "a/b:1"),
            ("a@sha256:0f", "a@sha256:0f"),
        ] {
            assert_eq!(tagged(name), pulled);
        }
    }

    #[test]
    fn a_name_is_no_way_to_another_url() {
        for name in ["", "a b", "a?b", "a#b", "/a", "../a", "a/../b", "a%2fb"] {
            let error = check_name(name).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}` cannot be an image's name"));
        }
        assert!(check_name("us.gcr.io:443/my_image/x:42").is_ok());
    }

    #[test]
    fn layers_are_told_together() {
        let mut layers = Layers::default();
        let mut take = |id: &str, status: &str, current, total| {
            let progress_detail =
                Some(ProgressDetail { current: Some(current), total: Some(total) });
            let (id, status) = (Some(id.to_owned()), Some(status.to_owned()));
            layers.take(CreateImageInfo { id, status, progress_detail, ..Default::default() });
        };
        take("a", "Downloading", 1 << 20, 2 << 20);
        take("b", "Downloading", 1 << 20, 1 << 20);
        take("a", "Downloading", 2 << 20, 2 << 20);
        take("b", "Extracting", 1, 1 << 20);
        assert_eq!(layers.told(), "3.00 MiB/3.00 MiB");
    }
}
