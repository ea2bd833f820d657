//! How much memory a guest may have, and what it asked for.

use wasmtime::ResourceLimiter;

/// How many elements all tables of a guest may have together.
const TABLE_ELEMENTS: usize = 1 << 20;

/// How many instances, tables or memories a component may make.
const PARTS: usize = 1_000;

/// Counts the linear memory of a guest against its limit.
///
/// A growth that is refused is not yet a failure: WebAssembly lets the guest go on without it. But
/// if it then traps, want of memory is why.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    limit: Option<u64>,
    memory: u64,
    table_elements: usize,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The most memory that the guest had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.memory
    }

    /// Whether the guest asked for more than it was allowed.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let memory = self.memory + (desired - current) as u64;
        let allowed = self.limit.is_none_or(|limit| memory <= limit)
            && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.memory = memory;
        } else {
            self.refused = true;
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.table_elements + (desired - current);
        let allowed = elements <= TABLE_ELEMENTS;
        if allowed {
            self.table_elements = elements;
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let mut limiter = Limiter::new(Some(100));
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.refused());
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
        assert!(limiter.refused());
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn the_memorys_own_maximum_counts_too() {
        let mut limiter = Limiter::new(None);
        assert!(!limiter.memory_growing(10, 30, Some(20)).unwrap());
        assert!(limiter.refused());
        assert_eq!(limiter.peak(), 0);
    }
}
