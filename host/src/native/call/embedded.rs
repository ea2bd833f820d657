//! Components that `cargo hype build --embed` put inside this program.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::call::component::Component;
use crate::error::Result;

/// The name of a package, and the bytes of its component.
type Embedded = (&'static str, &'static [u8]);

static EMBEDDED: Mutex<&[Embedded]> = Mutex::new(&[]);

/// Registers the components inside this program; called by the code that `hype::embed!` generates.
pub fn embed(components: &'static [Embedded]) {
    *EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner) = components;
}

/// Returns the component of `package`, if it is inside this program.
pub(crate) fn component_of(package: &str) -> Result<Option<Component>> {
    let embedded = *EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = embedded.iter().find(|(name, _)| *name == package);
    found
        .map(|(name, bytes)| Component::new(format!("{name}.wasm"), Bytes::from_static(bytes)))
        .transpose()
}
