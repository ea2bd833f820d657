//! Nothing but dependencies, which the manifest explains.
