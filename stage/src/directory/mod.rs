//! Stages in a directory of this machine.

mod folder;
mod interrupted;
mod root;
mod store;
mod tree;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use folder::Folder;
pub(crate) use interrupted::collect_uploads;
pub(crate) use root::{MARKER, mark};
pub(crate) use store::DirectoryStore;
