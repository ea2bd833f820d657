//! The WIT of a core module whose compiler doesn't put it into a custom section.

use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Returns `module` with the world of the WIT text at `path`, a file or a directory, in a custom section.
///
/// # Errors
///
/// If the text can't be read, is malformed, or has no world or several.
pub(crate) fn with_wit(
    mut module: Vec<u8>,
    path: &Path,
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(path)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}
