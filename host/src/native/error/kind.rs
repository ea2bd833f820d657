//! The kinds of errors.

/// The kind of an [`Error`](crate::Error), by its cause and thereby by the person who can fix it.
///
/// ```
/// let error = hype::Component::open("/no/such/x.wasm").unwrap_err();
/// assert_eq!(error.kind(), hype::ErrorKind::Input);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The closure ended without a value; [`Error::failure`](crate::Error::failure) describes its end.
    Failed,
    /// The run ended without an outcome, so that its end is unknown.
    Lost,
    /// The request is invalid: a missing component, arguments of another type.
    Input,
    /// The stage failed or is unreachable.
    Stage,
    /// The runner failed or is unreachable.
    Runner,
    /// The program of a staged map ended too early: [`Map::resume`](crate::map::Map::resume) goes on.
    Incomplete {
        /// The number of staged items.
        staged: u64,
    },
}
