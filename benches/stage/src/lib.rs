//! What the benchmark of the stage measures with.

pub mod measure;
