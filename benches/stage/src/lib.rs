//! Helpers of the benchmark of the stage.

pub mod measure;
