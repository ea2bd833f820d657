//! The components inside this program, where `cargo hype build --embed` built it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::call::component::Component;
use crate::error::Result;

/// A package, and the bytes of its component.
type Embedded = (&'static str, &'static [u8]);

static EMBEDDED: Mutex<&[Embedded]> = Mutex::new(&[]);

/// What `hype::embed!` does: these are the components inside this program.
pub fn embed(components: &'static [Embedded]) {
    *EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner) = components;
}

/// The component of `package`, if it is inside this program.
pub(crate) fn component_of(package: &str) -> Result<Option<Component>> {
    let embedded = *EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = embedded.iter().find(|(name, _)| *name == package);
    found
        .map(|(name, bytes)| Component::new(format!("{name}.wasm"), Bytes::from_static(bytes)))
        .transpose()
}
