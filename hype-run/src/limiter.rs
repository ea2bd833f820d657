//! How much memory and how large tables a guest may have, and what it asked for.

use wasmtime::ResourceLimiter;

use crate::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// Counts the linear memory and the tables of a guest against their limits.
///
/// A growth that is refused is not yet a failure: WebAssembly lets the guest go on without it. But
/// if it then traps, that is why.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: u64,
    memory: u64,
    table_elements: usize,
    refused: Option<Refused>,
}

/// What a guest was refused last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory,
    TableElements,
}

impl Limiter {
    /// One that allows `limit` bytes of memory.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, memory: 0, table_elements: 0, refused: None }
    }

    /// The most memory that the guest had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.memory
    }

    /// What the guest asked for and was not allowed.
    pub(crate) fn refused(&self) -> Option<Refused> {
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
        let allowed = memory <= self.limit && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.memory = memory;
        } else {
            self.refused = Some(Refused::Memory);
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = Some(Refused::Memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.table_elements.saturating_add(desired - current);
        let allowed =
            elements <= TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.table_elements = elements;
        } else {
            self.refused = Some(Refused::TableElements);
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::Memory));
        assert_eq!(limiter.peak(), 100);
    }

    #[test]
    fn all_tables_count_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS - 1, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.table_growing(1, 2, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::TableElements));
    }

    #[test]
    fn the_maximum_of_the_component_counts_too() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(10, 30, Some(20)).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::Memory));
        assert_eq!(limiter.peak(), 0);
        assert!(!limiter.table_growing(10, 30, Some(20)).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::TableElements));
    }
}
