//! An empty crate whose dependencies unify features; see its manifest.
