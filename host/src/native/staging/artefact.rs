//! Machine code of components, made once on this machine and kept for later programs.
//!
//! What is kept here is run as it is, and so the directory must be ours alone: one that others can
//! write to is not used. Runners never read it; they load what a verified manifest names.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hype_run::Platform;
use hype_wire::{Artefact, Blob};

use crate::blocking_task::blocking;
use crate::call::component::Component;
use crate::error::{Error, Result};
use crate::progress::STEP;

impl Component {
    /// Makes its machine code for this machine now, rather than when it is first submitted from
    /// here. It takes a second or more for what then loads in milliseconds.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it cannot be compiled.
    pub fn precompile(&self) -> Result<()> {
        match Platform::here() {
            Some(platform) => CachedArtefact::of_now(self, platform).map(drop),
            None => Ok(()),
        }
    }
}

/// The machine code of one component for one platform.
#[derive(Debug, Clone)]
pub(crate) struct CachedArtefact {
    pub(crate) artefact: Artefact,
    /// Where its bytes are kept.
    pub(crate) path: PathBuf,
}

impl CachedArtefact {
    /// That of `component`, compiled unless it was before; none where nothing can be kept.
    pub(crate) async fn of(component: &Component, platform: Platform) -> Result<Option<Self>> {
        let component = component.clone();
        blocking(move || Self::of_now(&component, platform)).await
    }

    fn of_now(component: &Component, platform: Platform) -> Result<Option<Self>> {
        let Some(directory) = directory() else {
            return Ok(None);
        };
        // Closures of one component, submitted together, wait for the one that compiles it.
        static COMPILING: Mutex<()> = Mutex::new(());
        let _one = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
        find_or_make(component, platform, &directory).map(Some)
    }

    /// Lets go of what is kept if somebody altered it, so that it is made anew.
    pub(crate) async fn forget_if_altered(self) -> Result<()> {
        blocking(move || self.forget_now_if_altered()).await
    }

    fn forget_now_if_altered(&self) -> Result<()> {
        let kept = fs::read(&self.path).map_err(|error| unkept(&self.path, error))?;
        if Blob::of(&kept) == self.artefact.blob {
            return Ok(());
        }
        // Without its note it counts as not kept.
        let note = digest_path(&self.path);
        fs::remove_file(&note).map_err(|error| unkept(&note, error))
    }
}

fn find_or_make(
    component: &Component,
    platform: Platform,
    directory: &Path,
) -> Result<CachedArtefact> {
    let incapable = |error| Error::runner(format!("cannot compile for {platform} here"), error);
    let fingerprint = hype_run::fingerprint(platform).map_err(incapable)?;
    let path = directory.join(format!("{}-{platform}-{fingerprint:016x}", component.digest()));
    let cached = |blob| CachedArtefact {
        artefact: Artefact { platform: platform.name().to_owned(), blob },
        path: path.clone(),
    };
    if let Some(blob) = kept(&path) {
        return Ok(cached(blob));
    }
    let name = component.name();
    let _compiling = tracing::info_span!("compile", component = name, %platform).entered();
    tracing::info!(target: STEP, "compiling {name} for {platform}");
    let bytes = hype_run::precompile(component.bytes(), platform).map_err(|error| {
        Error::input(format!("{name} cannot be compiled for {platform}")).because(error)
    })?;
    let blob = Blob::of(&bytes);
    keep(&path, &bytes)?;
    keep(&digest_path(&path), format!("{} {}", blob.digest, blob.size).as_bytes())?;
    Ok(cached(blob))
}

/// The blob that is kept at `path`, told by the note beside it, which is written last.
fn kept(path: &Path) -> Option<Blob> {
    let note = fs::read_to_string(digest_path(path)).ok()?;
    let (digest, size) = note.split_once(' ')?;
    let blob = Blob { digest: digest.parse().ok()?, size: size.parse().ok()? };
    (path.metadata().ok()?.len() == blob.size).then_some(blob)
}

fn digest_path(path: &Path) -> PathBuf {
    path.with_extension("digest")
}

fn keep(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error: std::io::Error| unkept(path, error))
}

fn unkept(path: &Path, error: std::io::Error) -> Error {
    Error::runner(format!("cannot keep machine code at {}", path.display()), error)
}

/// Where machine code is kept, unless this user has no such place of his own.
fn directory() -> Option<PathBuf> {
    let directory = dirs::cache_dir()?.join("hype").join("artefacts");
    if let Err(error) = prepare(&directory) {
        tracing::warn!("no machine code is kept in {}: {error}", directory.display());
        return None;
    }
    Some(directory)
}

#[cfg(unix)]
fn prepare(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = directory.metadata()?;
    let probe = tempfile::NamedTempFile::new_in(directory)?;
    let is_ours = metadata.uid() == probe.as_file().metadata()?.uid();
    if is_ours && metadata.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(std::io::Error::other("others can write to it; make it ours alone with chmod 700"))
}

#[cfg(not(unix))]
fn prepare(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Component {
        Component::new("x.wasm", &b"\0asm\x0d\0\x01\0"[..]).unwrap()
    }

    #[test]
    fn machine_code_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let platform = Platform::here().unwrap();
        let first = find_or_make(&component(), platform, directory.path()).unwrap();
        let made = fs::metadata(&first.path).unwrap().modified().unwrap();
        let second = find_or_make(&component(), platform, directory.path()).unwrap();
        assert_eq!(first.artefact, second.artefact);
        assert_eq!(fs::metadata(&second.path).unwrap().modified().unwrap(), made);
        assert_eq!(Blob::of(&fs::read(&first.path).unwrap()), first.artefact.blob);
    }

    #[test]
    fn what_was_cut_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let platform = Platform::here().unwrap();
        let first = find_or_make(&component(), platform, directory.path()).unwrap();
        fs::write(&first.path, "cut").unwrap();
        let second = find_or_make(&component(), platform, directory.path()).unwrap();
        assert_eq!(first.artefact, second.artefact);
        assert_ne!(fs::read(&second.path).unwrap(), b"cut");
    }

    #[test]
    fn what_was_altered_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let platform = Platform::here().unwrap();
        let cached = || find_or_make(&component(), platform, directory.path()).unwrap();
        let made = fs::read(&cached().path).unwrap();
        cached().forget_now_if_altered().unwrap();
        let mut forged = made.clone();
        let middle = forged.len() / 2;
        forged[middle] ^= 1;
        fs::write(&cached().path, &forged).unwrap();
        cached().forget_now_if_altered().unwrap();
        assert_eq!(fs::read(&cached().path).unwrap(), made);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_can_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        assert!(prepare(directory.path()).is_ok());
        for mode in [0o777, 0o770, 0o702] {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = prepare(directory.path()).unwrap_err();
            assert!(error.to_string().contains("chmod 700"), "{error}");
        }
    }
}
