/// The key derivation context of BLAKE3 for the seeds of items.
const CONTEXT: &str = "hype 2026-11 deterministic map item";

/// Returns the seed of the item at `index` of a map whose environment has `seed`. It depends on nothing else, so
/// that an item has the same random numbers on each worker and after a resume.
///
/// ```
/// assert_ne!(hype_wire::item_seed(7, 0), hype_wire::item_seed(7, 1));
/// ```
pub fn item_seed(seed: u64, index: u64) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&seed.to_le_bytes()).update(&index.to_le_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected numbers must never change: they determine the values of functions.
    #[test]
    fn item_seed_follows_from_seed_and_index() {
        let seeds = [item_seed(7, 0), item_seed(7, 1), item_seed(8, 0)];
        let expected =
            [14_524_839_119_371_955_561, 12_041_148_531_030_981_262, 15_438_452_166_566_290_012];
        assert_eq!(seeds, expected);
    }
}
