//! Stages on the stores of all providers, when all goes well and when it doesn't.

mod suite;
