//! The package of a check, in the ignored directory `target`.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::Problem;
use crate::catalogue::Entry;

/// The end of each check's manifest: a profile that compiles fast, and build dependencies with all features that checks
/// need of them, so that the dependencies of one check don't make another compile hype again. A package without a build
/// script doesn't compile its build dependencies.
const END: &str = r#"
[build-dependencies]
cc = { version = "1", features = ["parallel"] }
semver = "1"
syn = { version = "3", features = ["extra-traits", "fold", "full", "visit", "visit-mut"] }
syn2 = { package = "syn", version = "2", features = ["extra-traits", "fold", "full", "visit", "visit-mut"] }

[profile.dev]
debug = false
incremental = false

[workspace]
"#;

/// The package of a check.
#[derive(Debug)]
pub struct Package {
    directory: PathBuf,
    name: String,
}

impl Package {
    /// Writes the package of `entry` below `packages`, with the crate of the recorded version or of the newest one.
    pub fn write(
        packages: &Path,
        host: &Path,
        entry: &Entry,
        newest: bool,
    ) -> Result<Self, Problem> {
        let directory = packages.join(&entry.name);
        fs::create_dir_all(directory.join("src"))?;
        let requirement = if newest { "*".to_owned() } else { format!("={}", entry.version) };
        let manifest = manifest(host, entry, requirement)?;
        fs::write(directory.join("Cargo.toml"), manifest)?;
        fs::write(directory.join("src/lib.rs"), &entry.code)?;
        let lock = directory.join("Cargo.lock");
        if newest && lock.exists() {
            fs::remove_file(lock)?;
        }
        Ok(Self { directory, name: format!("check-{}", entry.name) })
    }

    /// Returns the directory in which to run `cargo hype build`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the path of the component that `cargo hype build` writes below `target`.
    pub fn component(&self, target: &Path) -> PathBuf {
        target.join("hype").join(format!("{}.wasm", self.name))
    }

    /// Returns the version of the crate `name` that cargo chose: the highest, since indirect dependencies add others.
    pub fn version(&self, name: &str) -> Option<String> {
        let lock = fs::read_to_string(self.directory.join("Cargo.lock")).ok()?;
        let lock: Table = lock.parse().ok()?;
        let packages = lock.get("package")?.as_array()?;
        let is_named = |package: &&Value| package.get("name").and_then(Value::as_str) == Some(name);
        let versions = packages.iter().filter(is_named);
        let versions = versions.filter_map(|package| package.get("version")?.as_str());
        versions.max_by_key(|version| numbers(version)).map(str::to_owned)
    }
}

fn manifest(host: &Path, entry: &Entry, requirement: String) -> Result<String, Problem> {
    let mut hype = Table::new();
    hype.insert("package".into(), "spotify-hype".into());
    hype.insert("path".into(), host.to_string_lossy().into_owned().into());
    hype.insert("default-features".into(), false.into());
    let mut subject = Table::new();
    subject.insert("version".into(), requirement.into());
    subject.insert("default-features".into(), entry.default_features.into());
    subject.insert("features".into(), entry.features.clone().into());
    let mut dependencies = entry.with.clone();
    dependencies.insert("hype".into(), hype.into());
    dependencies.insert(entry.name.clone(), subject.into());
    let mut package = Table::new();
    package.insert("name".into(), format!("check-{}", entry.name).into());
    package.insert("version".into(), "1.0.0".into());
    package.insert("edition".into(), "2024".into());
    let mut manifest = Table::new();
    manifest.insert("package".into(), package.into());
    manifest.insert("dependencies".into(), dependencies.into());
    Ok(toml::to_string(&manifest)? + END)
}

/// Returns the numbers of a version, most significant first.
fn numbers(version: &str) -> Vec<u64> {
    let version = version.split(['-', '+']).next().unwrap_or(version);
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
