//! What cargo knows of the packages around here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId, TargetKind};

use crate::error::{Error, Result};
use crate::tool;

/// The name under which the crate `hype` is published.
pub(crate) const HYPE_PACKAGE: &str = "spotify-hype";

/// The workspace around a directory.
#[derive(Debug)]
pub struct Project {
    metadata: Metadata,
    directory: PathBuf,
}

impl Project {
    /// The workspace around the working directory.
    ///
    /// # Errors
    ///
    /// When there is none, or cargo cannot make sense of it.
    pub fn here() -> Result<Self> {
        let directory = std::env::current_dir()
            .map_err(|error| Error::machinery("there is no working directory").because(error))?;
        Self::at(&directory)
    }

    /// The workspace around `directory`.
    ///
    /// # Errors
    ///
    /// When there is none, or cargo cannot make sense of it.
    pub fn at(directory: &Path) -> Result<Self> {
        let metadata = tool::metadata(&MetadataCommand::new(), directory)
            .map_err(|error| unreadable(directory, error))?;
        Ok(Self { metadata, directory: directory.to_owned() })
    }

    /// Where it was looked for.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All packages, those of others too.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// Where components go.
    pub fn components(&self) -> PathBuf {
        self.metadata.target_directory.join("hype").into_std_path_buf()
    }

    /// The packages that `specs` name; without specs that of this directory, and at the root of a
    /// workspace all members that define functions.
    ///
    /// # Errors
    ///
    /// When a spec names no package, or one that cannot define functions.
    pub fn select(&self, specs: &[String]) -> Result<Vec<&Package>> {
        if !specs.is_empty() {
            return specs.iter().map(|spec| check_may_define(self.package(spec)?)).collect();
        }
        if let Some(package) = self.package_here() {
            return Ok(vec![check_may_define(package)?]);
        }
        let members: Vec<_> = self
            .metadata
            .workspace_packages()
            .into_iter()
            .filter(|package| self.defines_functions(package))
            .collect();
        if members.is_empty() {
            return Err(Error::input("no package of this workspace has a #[hype::function]")
                .hint("write one in the package's src/lib.rs"));
        }
        Ok(members)
    }

    /// The package that `specs` name, or that of this directory, or the only one with a program.
    ///
    /// # Errors
    ///
    /// When that is not just one.
    pub fn select_one(&self, specs: &[String]) -> Result<&Package> {
        match specs {
            [] => match self.package_here() {
                Some(package) => Ok(package),
                None => self.only_program(),
            },
            [spec] => self.package(spec),
            _ => Err(Error::input("only one package's programs can be built")
                .hint("give one -p PACKAGE")),
        }
    }

    fn only_program(&self) -> Result<&Package> {
        let mut packages = self.metadata.workspace_packages();
        packages.retain(|package| package.targets.iter().any(|target| target.is_bin()));
        match packages.as_slice() {
            [only] => Ok(only),
            [] => Err(Error::input("no package of this workspace has a program")
                .hint("write one in the package's src/main.rs")),
            several => Err(Error::input("several packages of this workspace have programs")
                .hint(format!("choose one with -p: {}", names(several)))),
        }
    }

    /// `package` and those that it depends on, as far as they define functions.
    pub fn definers<'a>(&'a self, package: &'a Package) -> Vec<&'a Package> {
        let needed: BTreeSet<_> = self.dependencies(package).into_keys().collect();
        needed
            .into_iter()
            .map(|id| &self.metadata[id])
            .filter(|package| self.defines_functions(package))
            .collect()
    }

    /// The package `id`, and which dependency of `package`'s own needs it: itself, if it is one.
    pub(crate) fn dependency<'a>(
        &'a self,
        package: &'a Package,
        id: &PackageId,
    ) -> Option<(&'a Package, &'a Package)> {
        let needed = self.dependencies(package);
        let (id, _) = needed.get_key_value(id)?;
        let mut own = *id;
        while let Some(by) = needed[own].filter(|by| **by != package.id) {
            own = by;
        }
        Some((&self.metadata[*id], &self.metadata[own]))
    }

    /// `package` and all that it depends on, each with one that needs it, the nearest to `package`.
    fn dependencies<'a>(
        &'a self,
        package: &'a Package,
    ) -> HashMap<&'a PackageId, Option<&'a PackageId>> {
        let edges: HashMap<&PackageId, &[PackageId]> = self
            .metadata
            .resolve
            .iter()
            .flat_map(|resolve| &resolve.nodes)
            .map(|node| (&node.id, node.dependencies.as_slice()))
            .collect();
        let mut needed = HashMap::from([(&package.id, None)]);
        let mut open = VecDeque::from([&package.id]);
        while let Some(id) = open.pop_front() {
            for dependency in edges.get(id).copied().unwrap_or_default() {
                if let Entry::Vacant(entry) = needed.entry(dependency) {
                    entry.insert(Some(id));
                    open.push_back(dependency);
                }
            }
        }
        needed
    }

    fn package(&self, spec: &str) -> Result<&Package> {
        let (name, version) = spec.split_once('@').map_or((spec, None), |(n, v)| (n, Some(v)));
        let named = |package: &&Package| {
            package.name == name
                && version.is_none_or(|version| package.version.to_string() == version)
        };
        let members = self.metadata.workspace_packages();
        let found = members.into_iter().find(named);
        found.or_else(|| self.metadata.packages.iter().find(named)).ok_or_else(|| {
            Error::input(format!("there is no package `{spec}` here"))
                .hint(format!("there are: {}", names(&self.metadata.workspace_packages())))
        })
    }

    /// The package whose directory is the nearest around ours.
    fn package_here(&self) -> Option<&Package> {
        let directory = self.directory.canonicalize().ok()?;
        let around = |package: &&Package| {
            let root = package.manifest_path.parent()?;
            directory.starts_with(root).then_some(root.components().count())
        };
        let members = self.metadata.workspace_packages();
        members.into_iter().filter(|package| around(package).is_some()).max_by_key(around)
    }

    /// Whether a package's library has functions of hype's, as far as its sources tell.
    fn defines_functions(&self, package: &Package) -> bool {
        uses_hype(package) && library(package).is_some_and(|library| mentions_function(&library))
    }
}

/// Why cargo doesn't tell what packages there are.
pub(crate) fn unreadable(directory: &Path, error: cargo_metadata::Error) -> Error {
    let at = directory.display();
    let cargo_metadata::Error::CargoMetadata { stderr } = error else {
        return Error::machinery(format!("cargo tells nothing of the packages at {at}"))
            .because(error);
    };
    if !directory.ancestors().any(|ancestor| ancestor.join("Cargo.toml").exists()) {
        return Error::input(format!("cargo finds no packages at {at}"))
            .hint("go to a directory with a Cargo.toml, or make one: cargo hype new NAME");
    }
    eprintln!("{}", stderr.trim_end());
    Error::input(format!("cargo cannot read the packages at {at}"))
        .hint("what cargo says above is why")
}

fn names(packages: &[&Package]) -> String {
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    names.join(", ")
}

fn uses_hype(package: &Package) -> bool {
    package.dependencies.iter().any(|dependency| dependency.name == HYPE_PACKAGE)
}

/// Refuses what would be compiled in vain.
fn check_may_define(package: &Package) -> Result<&Package> {
    let name = &package.name;
    if library(package).is_none() {
        return Err(Error::input(format!("`{name}` has no library, and so no functions"))
            .hint("write them in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    if !uses_hype(package) {
        return Err(Error::input(format!(
            "`{name}` doesn't depend on hype, and so has no functions"
        ))
        .hint("add hype to its [dependencies], and #[hype::function] above a `pub fn`"));
    }
    Ok(package)
}

/// The directory of the sources of a package's library.
fn library(package: &Package) -> Option<PathBuf> {
    let is_library =
        |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::CDyLib);
    let library = package.targets.iter().find(|target| target.kind.iter().any(is_library))?;
    library.src_path.parent().map(|directory| directory.as_std_path().to_owned())
}

fn mentions_function(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return mentions_function(&path);
        }
        path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path).is_ok_and(|text| text.lines().any(is_attribute))
    })
}

fn is_attribute(line: &str) -> bool {
    let line = line.trim_start();
    ["#[hype::function", "#[function"].iter().any(|attribute| {
        line.strip_prefix(attribute).is_some_and(|rest| rest.starts_with([']', '(']))
    })
}

#[cfg(test)]
mod tests {
    use super::is_attribute;

    #[test]
    fn an_attribute_is_not_its_mention() {
        assert!(is_attribute("    #[hype::function]"));
        assert!(is_attribute("#[hype::function(value)] pub fn f() {}"));
        assert!(is_attribute("#[function]"));
        assert!(!is_attribute("/// #[hype::function]"));
        assert!(!is_attribute("#[functional]"));
    }
}
