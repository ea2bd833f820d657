//! Reads a world from WIT text or from a component.

use std::path::{Path, PathBuf};

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId};

/// A world, and the files that it was read from.
pub(super) struct Loaded {
    pub(super) resolve: Resolve,
    pub(super) world: WorldId,
    /// The absolute paths of the files with the WIT text.
    pub(super) files: Vec<String>,
    /// The absolute path of the component, if it isn't WIT text that was read.
    pub(super) component: Option<String>,
}

impl Loaded {
    /// Reads `path`, which is relative to `root`: a file or directory with WIT text, or a component.
    ///
    /// # Errors
    ///
    /// If there is no such file, if it is malformed, or if it has several worlds and `world` chooses none.
    pub(super) fn read(root: &Path, path: &str, world: Option<&str>) -> Result<Self, String> {
        let absolute = root.join(path);
        if !absolute.exists() {
            return Err(format!(
                "there is no {path}: write a path that is relative to the directory of the package's Cargo.toml"
            ));
        }
        if absolute.extension().is_some_and(|extension| extension == "wasm") {
            Self::of_component(&absolute, path, world)
        } else {
            Self::of_text(&absolute, path, world)
        }
    }

    fn of_text(absolute: &Path, path: &str, world: Option<&str>) -> Result<Self, String> {
        let mut resolve = Resolve::default();
        let (package, sources) = match resolve.push_path(absolute) {
            Ok(read) => read,
            Err(error) => {
                return Err(format!("{path} is not valid WIT: {}", resolve.render_error(&error)));
            }
        };
        let world = resolve.select_world(&[package], world).map_err(|_| {
            let worlds = resolve.packages[package].worlds.keys();
            let worlds: Vec<_> = worlds.map(|name| format!("`world = \"{name}\"`")).collect();
            match worlds.as_slice() {
                [] => format!("{path} has no world: write `world app {{ export ...; }}`"),
                _ => format!("choose a world of {path}: {}", worlds.join(" or ")),
            }
        })?;
        let files = sources.paths().map(utf8).collect::<Result<_, _>>()?;
        Ok(Self { resolve, world, files, component: None })
    }

    fn of_component(absolute: &Path, path: &str, world: Option<&str>) -> Result<Self, String> {
        let bytes =
            std::fs::read(absolute).map_err(|error| format!("cannot read {path}: {error}"))?;
        if let Some(world) = world {
            return Err(format!("a component has one world: remove `world = \"{world}\"`"));
        }
        if bytes.starts_with(b"\0asm\x01\0\0\0") {
            return Err(format!("{path} is a core module, not yet a component"));
        }
        match decode(&bytes) {
            Ok(DecodedWasm::Component(resolve, world)) => {
                let component = Some(utf8(absolute)?);
                Ok(Self { resolve, world, files: Vec::new(), component })
            }
            Ok(DecodedWasm::WitPackage(..)) => Err(format!(
                "{path} is a package of WIT, not a component: write the path of its text"
            )),
            Err(error) => Err(format!("{path} is not a component: {error:#}")),
        }
    }
}

fn utf8(path: &Path) -> Result<String, String> {
    let path: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}
