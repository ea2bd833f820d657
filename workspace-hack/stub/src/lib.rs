//! Empty: the package of this name in hype's workspace has dependencies alone.
