//! Enforces the limits of a guest's memories and tables.

use wasmtime::ResourceLimiter;

use crate::budget::Budget;
use crate::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// The bytes of one element of a table in the host.
const TABLE_ELEMENT: u64 = 8;

/// Counts the linear memories and the tables of a guest against their limits.
///
/// A denied growth is not yet a failure, since WebAssembly lets the guest continue without it. If the
/// guest then traps, the denied growth is the reason. A heap asks for more than it needs at first, and for less
/// if that is denied; if it gets that, nothing was denied.
#[derive(Debug)]
pub(crate) struct Limiter {
    budget: Budget,
    table_elements: usize,
    denied_growth: Option<DeniedGrowth>,
    /// The size of the memory whose growth was denied once.
    denied_once_at: Option<usize>,
}

/// The resource whose growth was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeniedGrowth {
    Memory,
    TableElements,
}

impl Limiter {
    /// Creates a limiter that charges memories and tables to `budget`.
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, table_elements: 0, denied_growth: None, denied_once_at: None }
    }

    /// Returns whether a memory or its growth fits into the budget.
    pub(crate) fn fits_memory(&self, current: usize, desired: usize) -> bool {
        self.budget.fits((desired - current) as u64)
    }

    /// Returns whether a table or its growth fits into the budget.
    pub(crate) fn fits_table(&self, current: usize, desired: usize) -> bool {
        self.budget.fits((desired - current) as u64 * TABLE_ELEMENT)
    }

    /// Returns the last growth that the guest was denied.
    pub(crate) fn denied_growth(&self) -> Option<DeniedGrowth> {
        self.denied_growth.or(self.denied_once_at.map(|_| DeniedGrowth::Memory))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = maximum.is_none_or(|maximum| desired <= maximum)
            && self.budget.add((desired - current) as u64).is_ok();
        match (allowed, self.denied_once_at == Some(current)) {
            (true, true) => self.denied_once_at = None,
            (true, false) => {}
            (false, true) => self.denied_growth = Some(DeniedGrowth::Memory),
            (false, false) => self.denied_once_at = Some(current),
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied_growth = Some(DeniedGrowth::Memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.table_elements.saturating_add(desired - current);
        if elements > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            self.denied_growth = Some(DeniedGrowth::TableElements);
            return Ok(false);
        }
        if self.budget.add((desired - current) as u64 * TABLE_ELEMENT).is_err() {
            self.denied_growth = Some(DeniedGrowth::Memory);
            return Ok(false);
        }
        self.table_elements = elements;
        Ok(true)
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
    fn memories_share_one_limit() {
        let budget = Budget::new(100);
        let mut limiter = Limiter::new(budget.clone());
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert_eq!(limiter.denied_growth(), None);
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
        assert_eq!(limiter.denied_growth(), Some(DeniedGrowth::Memory));
        assert_eq!(budget.peak(), 100);
    }

    #[test]
    fn growth_that_is_granted_in_part_was_not_denied() {
        let mut limiter = Limiter::new(Budget::new(100));
        let mut grow = |current, desired| {
            let allowed = limiter.memory_growing(current, desired, None).unwrap();
            (allowed, limiter.denied_growth())
        };
        let denied = Some(DeniedGrowth::Memory);
        assert_eq!(grow(0, 90), (true, None));
        assert_eq!(grow(90, 101), (false, denied));
        assert_eq!(grow(90, 95), (true, None));
        // Neither part is granted, which later growth doesn't change.
        assert_eq!(grow(95, 110), (false, denied));
        assert_eq!(grow(95, 101), (false, denied));
        assert_eq!(grow(95, 102), (false, denied));
        assert_eq!(grow(95, 100), (true, denied));
    }

    #[test]
    fn tables_share_one_limit() {
        let mut limiter = Limiter::new(Budget::new(1 << 30));
        assert!(limiter.table_growing(0, TABLE_ELEMENTS - 1, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).unwrap());
        assert_eq!(limiter.denied_growth(), None);
        assert!(!limiter.table_growing(1, 2, None).unwrap());
        assert_eq!(limiter.denied_growth(), Some(DeniedGrowth::TableElements));
    }

    #[test]
    fn tables_share_the_limit_of_memories() {
        let mut limiter = Limiter::new(Budget::new(100 * TABLE_ELEMENT));
        assert!(limiter.table_growing(0, 99, None).unwrap());
        assert!(!limiter.table_growing(0, 2, None).unwrap());
        assert_eq!(limiter.denied_growth(), Some(DeniedGrowth::Memory));
        assert!(!limiter.memory_growing(0, 9, None).unwrap());
    }

    #[test]
    fn growth_beyond_the_declared_maximum_is_denied() {
        let budget = Budget::new(100);
        let mut limiter = Limiter::new(budget.clone());
        assert!(!limiter.memory_growing(10, 30, Some(20)).unwrap());
        assert_eq!(limiter.denied_growth(), Some(DeniedGrowth::Memory));
        assert_eq!(budget.peak(), 0);
        assert!(!limiter.table_growing(10, 30, Some(20)).unwrap());
        assert_eq!(limiter.denied_growth(), Some(DeniedGrowth::TableElements));
    }
}
