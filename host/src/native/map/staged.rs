//! Staged maps, which survive their program: the plan and the results of a map in the stage.
//!
//! - `plan`: collects items into segments. `commits`: collects results into chunks. Both are pure.
//! - `stager`: the task that writes them. `writer`: the writes.
//! - `reader`: reads and verifies them. `open`: finds the key and the job of a staged map.
//! - `keys`: garbage collection of the keys of maps.
//! - `surroundings`: the environment of a staged map.
//! - `input`: the items of a staged map, as the input of a map that attaches or resumes.
//! - `handle`: the methods of a map that is staged.
//! - `output`: the end of an item's output, while it runs. `item_output`: the same, from the stage.
//! - `record`: the record of an item for a report. `report`: the report of a staged map.

pub(crate) mod commits;
mod handle;
pub(crate) mod input;
pub(crate) mod item_output;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod reader;
pub(crate) mod record;
mod report;
pub(crate) mod stager;
pub(crate) mod surroundings;
mod writer;
