//! Calls of functions: components, arguments, closures, handles of functions, and the decoding of values.

pub(crate) mod arguments;
pub(crate) mod closure;
pub(crate) mod component;
pub(crate) mod embedded;
pub(crate) mod find;
pub(crate) mod handle;
pub(crate) mod typed;
pub(crate) mod value;
