//! What cargo knows of the packages around here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Node, Package, PackageId, TargetKind};

use crate::error::{Error, Result};
use crate::target::TARGET;
use crate::tool;

/// The name under which the crate `hype` is published.
pub(crate) const HYPE_PACKAGE: &str = "spotify-hype";

/// The workspace around a directory.
#[derive(Debug)]
pub struct Project {
    metadata: Metadata,
    directory: PathBuf,
    /// hype and all packages that depend on it, directly or not.
    users_of_hype: BTreeSet<PackageId>,
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
        let users_of_hype = users_of_hype(&metadata);
        Ok(Self { metadata, directory: directory.to_owned(), users_of_hype })
    }

    /// Returns the workspace with the dependencies of its components, without those of programs alone.
    ///
    /// # Errors
    ///
    /// When cargo cannot make sense of it.
    pub(crate) fn of_components(&self) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.other_options(["--filter-platform", TARGET].map(str::to_owned));
        let metadata = tool::metadata(&command, &self.directory)
            .map_err(|error| unreadable(&self.directory, error))?;
        let users_of_hype = users_of_hype(&metadata);
        Ok(Self { metadata, directory: self.directory.clone(), users_of_hype })
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
        let names = self.ways_to_hype(package);
        let mentions = |library: PathBuf| mentions_function(&library, &names);
        !names.is_empty() && library(package).is_some_and(mentions)
    }

    /// The names under which `package` knows hype and those of its dependencies that may re-export it; none
    /// where it doesn't depend on hype.
    fn ways_to_hype(&self, package: &Package) -> BTreeSet<&str> {
        let nodes = self.metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
        let node = nodes.into_iter().find(|node| node.id == package.id);
        let dependencies = node.into_iter().flat_map(|node| &node.deps);
        dependencies
            .filter(|dependency| self.users_of_hype.contains(&dependency.pkg))
            .map(|dependency| dependency.name.as_str())
            .collect()
    }
}

/// The package of hype and all that depend on it, directly or not.
fn users_of_hype(metadata: &Metadata) -> BTreeSet<PackageId> {
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

/// Refuses what would be compiled in vain.
fn check_may_define<'a>(project: &Project, package: &'a Package) -> Result<&'a Package> {
    let name = &package.name;
    if library(package).is_none() {
        return Err(Error::input(format!("`{name}` has no library, and so no functions"))
            .hint("write them in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    if project.ways_to_hype(package).is_empty() {
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

fn mentions_function(directory: &Path, ways: &BTreeSet<&str>) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return mentions_function(&path, ways);
        }
        path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path)
                .is_ok_and(|text| text.lines().any(|line| is_attribute(line, ways)))
    })
}

/// Whether `line` begins with `#[function]`, alone or under a path that begins with one of `ways` or with the
/// usual name.
fn is_attribute(line: &str, ways: &BTreeSet<&str>) -> bool {
    let Some(attribute) = line.trim_start().strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split([']', '(']).next().filter(|path| path.len() < attribute.len());
    let mut segments = path.unwrap_or_default().trim_start_matches("::").split("::");
    let first = segments.next().unwrap_or_default().trim();
    let last = segments.last().map(str::trim);
    match last {
        None => first == "function",
        Some(last) => last == "function" && (first == "hype" || ways.contains(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_attribute;

    #[test]
    fn an_attribute_is_not_its_mention() {
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
