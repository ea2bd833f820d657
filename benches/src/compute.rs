//! Benchmark `compute`: functions that only compute, as closures and called natively.

use anyhow::ensure;
use bytes::Bytes;
use hype_wire::codec;

use crate::alternate::alternate;
use crate::guest::Guest;
use crate::native::Native;
use crate::ours::Ours;
use crate::table::Row;

const ROUNDS: usize = 15;

/// The picture of the example thumbnails that takes the longest.
const PICTURE: &str = "examples/thumbnails/images/rings.png";

/// A function of `closures/`, the size of its input, and the maximum ratio of the closure's time to the native time.
/// Functions for which the processor has instructions that WebAssembly lacks have none.
pub(crate) type Measured = (&'static str, &'static str, usize, Option<f64>);

pub(crate) const FUNCTIONS: [Measured; 6] = [
    ("SHA-256 of 64 MiB", "sha256", 64, Some(1.1)),
    ("  by the crate sha2 (natively SHA-NI)", "sha256_of_the_crate", 64, None),
    ("product of 512 × 512 matrices", "matrix", 512, Some(1.3)),
    ("counting the words of 16 MiB", "words", 16 << 10, Some(1.3)),
    ("parsing 16 MiB of JSON", "json", 16 << 10, Some(0.8)),
    ("writing, reading and removing 2,000 files in /tmp", "temporary_files", 2_000, None),
];

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let mut native = Native::start(ours)?;
    let closures = Guest::of(&ours.closures)?;
    let mut rows = Vec::new();
    for (name, function, size, max_ratio) in FUNCTIONS {
        let (line, arguments) = (format!("{function} {size}"), codec::to_vec(&(size,))?);
        let arguments = Bytes::from(arguments);
        rows.push(compare(name, &closures, function, &arguments, &mut native, &line, max_ratio)?);
    }
    let picture = std::fs::read(ours.root.join(PICTURE))?;
    let arguments = codec::to_vec(&(hype::Bytes(picture), 64u32))?.into();
    let (thumbnails, line) = (Guest::of(&ours.thumbnails)?, format!("thumbnail {PICTURE} 64"));
    let name = "the example thumbnails, one picture";
    rows.push(compare(name, &thumbnails, "thumbnail", &arguments, &mut native, &line, Some(1.4))?);
    Ok(rows)
}

/// Compares the processor time of a call in the guest with that of the native call.
fn compare(
    name: &str,
    guest: &Guest,
    function: &str,
    arguments: &Bytes,
    native: &mut Native,
    line: &str,
    max_ratio: Option<f64>,
) -> anyhow::Result<Row> {
    let (_, expected) = native.call(line)?;
    let (ours, peer) = alternate(
        ROUNDS,
        || {
            let called = guest.call(function, arguments)?;
            ensure!(
                called.value == expected,
                "the closure and the native function return different values"
            );
            Ok(called.took)
        },
        || Ok(native.call(line)?.0),
    )?;
    Ok(Row::compare(name, ours.median(), peer.median(), max_ratio))
}
