//! Reads cargo's metadata of a workspace: its packages and their dependencies.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Node, Package, PackageId, TargetKind};

use crate::build_command;
use crate::error::{Error, Result};
use crate::print::print_note;
use crate::target::TARGET;
use crate::tool;

/// The name of the package of the crate `hype`.
pub(crate) const HYPE_PACKAGE: &str = "spotify-hype";

/// The workspace around a directory.
#[derive(Debug)]
pub struct Project {
    metadata: Metadata,
    directory: PathBuf,
    /// hype and all packages that depend on it, directly or indirectly.
    hype_dependents: BTreeSet<PackageId>,
}

impl Project {
    /// Reads the workspace around the working directory.
    ///
    /// # Errors
    ///
    /// If there is no workspace, or cargo cannot read it.
    pub fn here() -> Result<Self> {
        let directory = std::env::current_dir()
            .map_err(|error| Error::machinery("there is no working directory").because(error))?;
        Self::at(&directory)
    }

    /// Reads the workspace around `directory`.
    ///
    /// # Errors
    ///
    /// If there is no workspace, or cargo cannot read it.
    pub fn at(directory: &Path) -> Result<Self> {
        let metadata = tool::metadata(&MetadataCommand::new(), directory)
            .map_err(|error| metadata_error(directory, error))?;
        let hype_dependents = hype_dependents(&metadata);
        Ok(Self { metadata, directory: directory.to_owned(), hype_dependents })
    }

    /// Reads the workspace with the dependencies for [`TARGET`] only, without those that only programs have.
    ///
    /// # Errors
    ///
    /// If cargo cannot read the workspace.
    pub(crate) fn for_components(&self) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.other_options(["--filter-platform", TARGET].map(str::to_owned));
        let metadata = tool::metadata(&command, &self.directory)
            .map_err(|error| metadata_error(&self.directory, error))?;
        let hype_dependents = hype_dependents(&metadata);
        Ok(Self { metadata, directory: self.directory.clone(), hype_dependents })
    }

    /// Returns the directory that the workspace was found from.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the directory of the workspace's manifest.
    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Returns all packages: the workspace's members and all dependencies.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// Returns the directory of the components.
    pub fn components(&self) -> PathBuf {
        self.metadata.target_directory.join("hype").into_std_path_buf()
    }

    /// Returns the packages that `specs` name. Without specs, returns the package of the directory, or all members
    /// that define functions if the directory belongs to no package.
    ///
    /// # Errors
    ///
    /// If a spec names no package, or a package that cannot define functions.
    pub fn select(&self, specs: &[String]) -> Result<Vec<&Package>> {
        if !specs.is_empty() {
            return specs.iter().map(|spec| check_may_define(self, self.package(spec)?)).collect();
        }
        if let Some(package) = self.package_here() {
            return Ok(vec![check_may_define(self, package)?]);
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

    /// Returns the package that `specs` name, else the package of the directory, else the only member with a program.
    ///
    /// # Errors
    ///
    /// If there is no such package, or more than one.
    pub fn select_one(&self, specs: &[String]) -> Result<&Package> {
        match specs {
            [] => match self.package_here() {
                Some(package) => Ok(package),
                None => self.only_program(),
            },
            [spec] => self.package(spec),
            _ => Err(Error::input("programs of only one package can be built")
                .hint("pass -p PACKAGE once")),
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

    /// Returns `package` and its dependencies, without those that define no functions.
    pub fn definers<'a>(&'a self, package: &'a Package) -> Vec<&'a Package> {
        let needed: BTreeSet<_> = self.dependencies(package).into_keys().collect();
        needed
            .into_iter()
            .map(|id| &self.metadata[id])
            .filter(|package| self.defines_functions(package))
            .collect()
    }

    /// Returns the dependency `id` of `package`, and the direct dependency of `package` through which it came.
    ///
    /// Both are the same for a direct dependency; `None` if `package` doesn't depend on `id`.
    pub(crate) fn dependency<'a>(
        &'a self,
        package: &'a Package,
        id: &PackageId,
    ) -> Option<(&'a Package, &'a Package)> {
        let needed = self.dependencies(package);
        let (id, _) = needed.get_key_value(id)?;
        let mut direct = *id;
        while let Some(by) = needed[direct].filter(|by| **by != package.id) {
            direct = by;
        }
        Some((&self.metadata[*id], &self.metadata[direct]))
    }

    /// Returns `package` and all its dependencies, each with the dependent on the shortest path from `package`.
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

    /// Returns the workspace member that contains the directory; of nested ones, the innermost.
    fn package_here(&self) -> Option<&Package> {
        let directory = self.directory.canonicalize().ok()?;
        let around = |package: &&Package| {
            let root = package.manifest_path.parent()?;
            directory.starts_with(root).then_some(root.components().count())
        };
        let members = self.metadata.workspace_packages();
        members.into_iter().filter(|package| around(package).is_some()).max_by_key(around)
    }

    /// Returns whether `package` is a member of the workspace that states the command that builds its component. The
    /// commands of other packages are never run.
    pub(crate) fn builds_by_command(&self, package: &Package) -> bool {
        self.metadata.workspace_members.contains(&package.id) && build_command::is_stated(package)
    }

    /// Returns whether a package states the command that builds its component, or the sources of its library contain
    /// the attribute `#[hype::function]`.
    fn defines_functions(&self, package: &Package) -> bool {
        if self.builds_by_command(package) {
            return true;
        }
        let names = self.hype_names(package);
        let mentions = |library: PathBuf| mentions_function(&library, &names);
        !names.is_empty() && library(package).is_some_and(mentions)
    }

    /// Returns the names of the direct dependencies of `package` that are hype or may re-export it.
    fn hype_names(&self, package: &Package) -> BTreeSet<&str> {
        let nodes = self.metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let node = nodes.into_iter().find(|node| node.id == package.id);
        let dependencies = node.into_iter().flat_map(|node| &node.deps);
        dependencies
            .filter(|dependency| self.hype_dependents.contains(&dependency.pkg))
            .map(|dependency| dependency.name.as_str())
            .collect()
    }
}

/// Returns the package of hype and all packages that depend on it, directly or indirectly.
fn hype_dependents(metadata: &Metadata) -> BTreeSet<PackageId> {
    let hype = metadata.packages.iter().filter(|package| package.name == HYPE_PACKAGE);
    let mut users: BTreeSet<_> = hype.map(|package| package.id.clone()).collect();
    let nodes: Vec<_> = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).collect();
    loop {
        let is_new = |node: &&&Node| {
            !users.contains(&node.id) && node.dependencies.iter().any(|id| users.contains(id))
        };
        let found: Vec<_> = nodes.iter().filter(is_new).map(|node| node.id.clone()).collect();
        if found.is_empty() {
            return users;
        }
        users.extend(found);
    }
}

/// Converts an error of `cargo metadata` in `directory`.
pub(crate) fn metadata_error(directory: &Path, error: cargo_metadata::Error) -> Error {
    let at = directory.display();
    let cargo_metadata::Error::CargoMetadata { stderr } = error else {
        return Error::machinery(format!("cannot read the packages at {at} with cargo"))
            .because(error);
    };
    if !directory.ancestors().any(|ancestor| ancestor.join("Cargo.toml").exists()) {
        return Error::input(format!("cargo finds no packages at {at}"))
            .hint("change to a directory with a Cargo.toml, or create one: cargo hype new NAME");
    }
    print_note(stderr.trim_end());
    Error::input(format!("cargo cannot read the packages at {at}")).hint("see cargo's errors above")
}

fn names(packages: &[&Package]) -> String {
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    names.join(", ")
}

/// Rejects a package that cannot define functions.
fn check_may_define<'a>(project: &Project, package: &'a Package) -> Result<&'a Package> {
    let name = &package.name;
    if project.builds_by_command(package) {
        return Ok(package);
    }
    if library(package).is_none() {
        return Err(Error::input(format!("`{name}` has no library, and so no functions"))
            .hint("write functions in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    if project.hype_names(package).is_empty() {
        return Err(Error::input(format!(
            "`{name}` doesn't depend on hype, and so has no functions"
        ))
        .hint("add hype to its [dependencies], and #[hype::function] above a `pub fn`"));
    }
    Ok(package)
}

/// Returns the source directory of a package's library.
fn library(package: &Package) -> Option<PathBuf> {
    let is_library =
        |kind: &TargetKind| matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::CDyLib);
    let library = package.targets.iter().find(|target| target.kind.iter().any(is_library))?;
    library.src_path.parent().map(|directory| directory.as_std_path().to_owned())
}

fn mentions_function(directory: &Path, names: &BTreeSet<&str>) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return mentions_function(&path, names);
        }
        path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path)
                .is_ok_and(|text| text.lines().any(|line| is_attribute(line, names)))
    })
}

/// Returns whether `line` begins with `#[function]`, alone or under a path that begins with `hype` or one of `names`.
fn is_attribute(line: &str, names: &BTreeSet<&str>) -> bool {
    let Some(attribute) = line.trim_start().strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split([']', '(']).next().filter(|path| path.len() < attribute.len());
    let mut segments = path.unwrap_or_default().trim_start_matches("::").split("::");
    let first = segments.next().unwrap_or_default().trim();
    let last = segments.last().map(str::trim);
    match last {
        None => first == "function",
        Some(last) => last == "function" && (first == "hype" || names.contains(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_attribute;

    #[test]
    fn attribute_in_a_comment_is_ignored() {
        let is_attribute = |line| is_attribute(line, &["h", "framework"].into());
        assert!(is_attribute("    #[hype::function]"));
        assert!(is_attribute("#[hype::function(value)] pub fn f() {}"));
        assert!(is_attribute("#[function]"));
        assert!(is_attribute("#[h::function]"));
        assert!(is_attribute("#[::framework::hype::function(crate = framework::hype)]"));
        assert!(!is_attribute("/// #[hype::function]"));
        assert!(!is_attribute("#[functional]"));
        assert!(!is_attribute("#[other::function]"));
        assert!(!is_attribute("#[hype::function"));
    }
}
