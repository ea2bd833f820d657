//! An empty crate. The package of the same name in hype's workspace has only dependencies.
