//! The cache of machine code on this machine. Each component is compiled once, and later programs use the cached code.
//!
//! Cached code is executed without a further check, so that a directory to which other users can write is not used.
//! Runners never read the cache; they load the code that a verified manifest names.

mod unfinished;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hype_run::{CodeKind, CompileError, Compiler, Platform, Target};
use hype_wire::{Artefact, Blob, Digest, FailureKind};
use tempfile::NamedTempFile;
use tracing::Instrument;

use crate::blocking_task::{blocking, on_new_thread};
use crate::call::component::Component;
use crate::error::{Error, Result};
use crate::private_files::{Forbidden, create_checked_directory};
use crate::progress::STEP;
use crate::removal::accept_missing;
use crate::staging::compiler::compiler;

pub(crate) use self::unfinished::{UnfinishedFile, unfinished_files};

impl Component {
    /// Compiles the component for this machine and caches the machine code, so that the first submission doesn't have
    /// to. Compiling takes a second or more; loading cached code takes milliseconds.
    ///
    /// The code is that for processes of one call at a time: worker processes, and `hype-run` on this machine. Calls that
    /// run beside others in this program need code with checks, which their first submission compiles.
    ///
    /// ```no_run
    /// hype::Component::open("target/hype/greet.wasm")?.precompile()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the component cannot be compiled.
    pub fn precompile(&self) -> Result<()> {
        let Some((platform, directory)) = Platform::here().zip(directory()) else {
            return Ok(());
        };
        let target = Target { platform, kind: CodeKind::Unchecked };
        let entry = Entry::new(self, target, &directory)?;
        if entry.find().is_some() {
            return Ok(());
        }
        // The caller may be inside of an executor, in which no other can be entered.
        let component = self.clone();
        on_new_thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| Error::runner("cannot start a compiler", error))?;
            runtime.block_on(entry.compile(compiler(), &component, None)).map(drop)
        })
    }
}

/// The cached machine code of one component for one target.
#[derive(Debug, Clone)]
pub(crate) struct CachedArtefact {
    pub(crate) artefact: Artefact,
    /// The file with its bytes.
    pub(crate) path: PathBuf,
}

/// The files of the cache for one component and one target, which may not exist yet.
#[derive(Debug, Clone)]
struct Entry {
    target: Target,
    path: PathBuf,
}

impl CachedArtefact {
    /// Returns the machine code of `component`, and compiles it on a cache miss, for at most `timeout`. Returns `None`
    /// if no cache directory is available.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the component cannot be compiled, and
    /// [`Failed`](crate::ErrorKind::Failed) when the compilation takes longer or needs more memory than it may.
    pub(crate) async fn of(
        component: &Component,
        target: Target,
        timeout: Option<Duration>,
    ) -> Result<Option<Self>> {
        let cached = component.clone();
        let find = move || match directory() {
            Some(directory) => {
                let entry = Entry::new(&cached, target, &directory)?;
                Ok(Some((entry.find(), entry)))
            }
            None => Ok(None),
        };
        match blocking(find).await? {
            None => Ok(None),
            Some((Some(found), _)) => Ok(Some(found)),
            Some((None, entry)) => entry.compile(compiler(), component, timeout).await.map(Some),
        }
    }

    /// Evicts the machine code from the cache if its bytes were altered, so that it is compiled again.
    pub(crate) async fn evict_if_altered(self) -> Result<()> {
        blocking(move || self.evict_if_altered_blocking()).await
    }

    fn evict_if_altered_blocking(&self) -> Result<()> {
        let bytes = fs::read(&self.path).map_err(|error| cache_error(&self.path, error))?;
        if Blob::of(&bytes) == self.artefact.blob {
            return Ok(());
        }
        // Code without its digest file is a cache miss.
        let digest_path = digest_path(&self.path);
        accept_missing(fs::remove_file(&digest_path))
            .map_err(|error| cache_error(&digest_path, error))
    }
}

impl Entry {
    fn new(component: &Component, target: Target, directory: &Path) -> Result<Self> {
        let fingerprint = hype_run::fingerprint(target)
            .map_err(|error| Error::runner(format!("cannot compile for {target} here"), error))?;
        let name = format!("{}-{target}-{fingerprint:016x}", component.digest());
        Ok(Self { target, path: directory.join(name) })
    }

    /// Returns the cached machine code.
    fn find(&self) -> Option<CachedArtefact> {
        recorded(&self.path).map(|blob| self.with(blob))
    }

    fn with(&self, blob: Blob) -> CachedArtefact {
        let artefact = Artefact { platform: self.target.to_string(), blob };
        CachedArtefact { artefact, path: self.path.clone() }
    }

    /// Compiles `component` and caches its machine code, unless a concurrent submission has done so.
    async fn compile(
        self,
        compiler: &Compiler,
        component: &Component,
        timeout: Option<Duration>,
    ) -> Result<CachedArtefact> {
        let (name, target) = (component.name(), self.target);
        let platform = target.platform;
        let span = tracing::info_span!("compile", component = name, %platform);
        let failed = |error| compile_error(name, platform, &error);
        async {
            let turn = compiler.turn(timeout).await.map_err(failed)?;
            if let Some(found) = self.find() {
                return Ok(found);
            }
            tracing::info!(target: STEP, "compiling {name} for {platform}");
            let file = self.create_file().map_err(|error| cache_error(&self.path, error))?;
            let output =
                file.as_file().try_clone().map_err(|error| cache_error(&self.path, error))?;
            // An abandoned compilation caches its machine code, too.
            let store = move |output: File| {
                drop(output);
                self.store(file)
            };
            let bytes = component.bytes().clone();
            turn.compile(bytes, Some(target), output, store).await.map_err(failed)?
        }
        .instrument(span)
        .await
    }

    /// Creates a file in the cache, which is removed unless it gets another name.
    fn create_file(&self) -> io::Result<NamedTempFile> {
        let directory = self.path.parent().unwrap_or(&self.path);
        tempfile::Builder::new().prefix(unfinished::PREFIX).tempfile_in(directory)
    }

    /// Caches the machine code in `file`.
    fn store(&self, file: NamedTempFile) -> Result<CachedArtefact> {
        let store = || {
            let blob = Blob::of(&fs::read(file.path())?);
            file.persist(&self.path)?;
            let digest_path = digest_path(&self.path);
            let record = self.create_file()?;
            fs::write(record.path(), format!("{} {}", blob.digest, blob.size))?;
            record.persist(digest_path)?;
            Ok(self.with(blob))
        };
        store().map_err(|error: std::io::Error| cache_error(&self.path, error))
    }
}

/// Removes the machine code of `component` from the cache, and returns the digests of it.
pub(crate) async fn remove(component: &Component) -> Result<Vec<Digest>> {
    let prefix = format!("{}-", component.digest());
    blocking(move || match directory() {
        Some(directory) => remove_from(&directory, &prefix),
        None => Ok(Vec::new()),
    })
    .await
}

fn remove_from(directory: &Path, prefix: &str) -> Result<Vec<Digest>> {
    let entries = fs::read_dir(directory).map_err(|error| cache_error(directory, error))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let is_of_component = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    let paths: Vec<_> = paths.filter(is_of_component).collect();
    let digests = paths.iter().filter_map(|path| Some(recorded(path)?.digest)).collect();
    paths.iter().try_for_each(|path| {
        accept_missing(fs::remove_file(path)).map_err(|error| cache_error(path, error))
    })?;
    Ok(digests)
}

/// Returns the blob that is cached at `path`, as recorded in its digest file, which is written last.
fn recorded(path: &Path) -> Option<Blob> {
    let record = fs::read_to_string(digest_path(path)).ok()?;
    let (digest, size) = record.split_once(' ')?;
    let blob = Blob { digest: digest.parse().ok()?, size: size.parse().ok()? };
    (path.metadata().ok()?.len() == blob.size).then_some(blob)
}

/// Returns the error of a component called `name` that was not compiled.
fn compile_error(name: &str, platform: Platform, error: &CompileError) -> Error {
    let failure = error.failure(name);
    match failure.kind {
        FailureKind::Incompatible => {
            Error::input(format!("{name} cannot be compiled for {platform}"))
                .because_messages(&failure.causes)
        }
        FailureKind::Infrastructure => Error::runner(failure.message, failure.causes.join(": ")),
        _ => Error::failed(name, failure),
    }
}

fn digest_path(path: &Path) -> PathBuf {
    path.with_extension("digest")
}

fn cache_error(path: &Path, error: std::io::Error) -> Error {
    Error::runner(format!("cannot cache machine code at {}", path.display()), error)
}

/// Returns the path of the cache directory, which may not exist.
fn cache_path() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("hype").join("artefacts"))
}

/// Returns the cache directory, if this user has one to which no other user can write.
fn directory() -> Option<PathBuf> {
    let directory = cache_path()?;
    if let Err(error) = create_checked_directory(&directory, Forbidden::Writing) {
        tracing::warn!("no machine code is cached in {}: {error}", directory.display());
        return None;
    }
    Some(directory)
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use tracing::field::Field;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    fn component() -> Component {
        Component::new("x.wasm", &b"\0asm\x0d\0\x01\0"[..]).unwrap()
    }

    fn entry(directory: &Path) -> Entry {
        Entry::new(&component(), Platform::here().unwrap().into(), directory).unwrap()
    }

    async fn find_or_compile(directory: &Path) -> CachedArtefact {
        let entry = entry(directory);
        match entry.find() {
            Some(found) => found,
            None => entry.compile(&Compiler::in_this_process(), &component(), None).await.unwrap(),
        }
    }

    #[tokio::test]
    async fn component_is_compiled_once() {
        let directory = tempfile::tempdir().unwrap();
        let first = find_or_compile(directory.path()).await;
        let compiled = fs::metadata(&first.path).unwrap().modified().unwrap();
        let compiler = Compiler::in_this_process();
        let second = entry(directory.path()).compile(&compiler, &component(), None).await.unwrap();
        assert_eq!(first.artefact, second.artefact);
        assert_eq!(fs::metadata(&second.path).unwrap().modified().unwrap(), compiled);
        assert_eq!(Blob::of(&fs::read(&first.path).unwrap()), first.artefact.blob);
    }

    #[tokio::test]
    async fn code_of_one_component_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("another-x86_64-0");
        fs::write(&kept, "").unwrap();
        let cached = find_or_compile(directory.path()).await;
        let removed = remove_from(directory.path(), &format!("{}-", component().digest()));
        assert_eq!(removed.unwrap(), [cached.artefact.blob.digest]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(kept.exists());
    }

    #[tokio::test]
    async fn truncated_code_is_compiled_again() {
        let directory = tempfile::tempdir().unwrap();
        let first = find_or_compile(directory.path()).await;
        fs::write(&first.path, "cut").unwrap();
        let second = find_or_compile(directory.path()).await;
        assert_eq!(first.artefact, second.artefact);
        assert_ne!(fs::read(&second.path).unwrap(), b"cut");
    }

    #[tokio::test]
    async fn altered_code_is_compiled_again() {
        let directory = tempfile::tempdir().unwrap();
        let cached = find_or_compile(directory.path()).await;
        let original = fs::read(&cached.path).unwrap();
        cached.evict_if_altered_blocking().unwrap();
        assert!(entry(directory.path()).find().is_some());
        let mut forged = original.clone();
        let middle = forged.len() / 2;
        forged[middle] ^= 1;
        fs::write(&cached.path, &forged).unwrap();
        cached.evict_if_altered_blocking().unwrap();
        let again = find_or_compile(directory.path()).await;
        assert_eq!(fs::read(&again.path).unwrap(), original);
    }

    #[tokio::test]
    async fn late_compilation_is_an_exceeded_timeout() {
        let directory = tempfile::tempdir().unwrap();
        let compiler = Compiler::in_this_process();
        let _other = compiler.turn(None).await.unwrap();
        let entry = entry(directory.path());
        let timeout = Some(Duration::from_millis(10));
        let error = entry.compile(&compiler, &component(), timeout).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let message = "compiling x.wasm did not begin within the run's timeout of 10ms";
        assert!(error.to_string().starts_with(message), "{error}");
    }

    /// The messages of steps.
    #[derive(Default)]
    struct Steps(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Steps {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            if event.metadata().target() == STEP {
                event.record(&mut |_: &Field, value: &dyn fmt::Debug| {
                    self.0.lock().unwrap().push(format!("{value:?}"));
                });
            }
        }
    }

    #[test]
    fn compilation_is_reported_once_it_begins() {
        let (directory, steps) = (tempfile::tempdir().unwrap(), Steps::default());
        let messages = Arc::clone(&steps.0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let subscriber = tracing_subscriber::registry().with(steps);
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(async {
                let compiler = Compiler::in_this_process();
                let other = compiler.turn(None).await.unwrap();
                let component = component();
                let mut waiting =
                    Box::pin(entry(directory.path()).compile(&compiler, &component, None));
                assert!(futures::poll!(&mut waiting).is_pending());
                assert_eq!(*messages.lock().unwrap(), [""; 0]);
                drop(other);
                waiting.await.unwrap();
                // Another program has cached the code.
                entry(directory.path()).compile(&compiler, &component, None).await.unwrap();
            });
        });
        let messages = messages.lock().unwrap();
        assert!(messages.len() == 1 && messages[0].contains("compiling x.wasm"), "{messages:?}");
    }

    #[test]
    fn component_is_precompiled_inside_any_executor() {
        let name = crate::names::unique_name("hype");
        let name = [&[name.len() as u8], name.as_bytes()].concat();
        let custom = [&[0, name.len() as u8], &name[..]].concat();
        let bytes = [&b"\0asm\x0d\0\x01\0"[..], &custom].concat();
        let component = Component::new("x.wasm", bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        futures::executor::block_on(async { component.precompile() }).unwrap();
        assert_eq!(runtime.block_on(remove(&component)).unwrap().len(), 1);
        runtime.block_on(async { component.precompile() }).unwrap();
        assert_eq!(runtime.block_on(remove(&component)).unwrap().len(), 1);
    }
}
