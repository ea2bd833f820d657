//! The memory budget of one guest: one counter for the guest's memory and for everything that the host holds
//! for it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// A counter of the bytes of one guest, with a limit. Clones share the counter.
///
/// Linear memories, tables, handles, HTTP fields and bodies, directory listings and buffers of streams
/// are all charged to it.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

/// The error that stops a guest when the host would hold more for it than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget;

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host would hold more for the guest than its memory limit")
    }
}

impl std::error::Error for OverBudget {}

impl Budget {
    /// Creates a budget of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self(Arc::new(Counter { limit, used: AtomicU64::new(0), peak: AtomicU64::new(0) }))
    }

    /// Returns the largest number of bytes that were charged at one time.
    pub(crate) fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Returns whether `bytes` more fit into the budget.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        self.0.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.0.limit
    }

    /// Charges `bytes` until the end of the guest.
    pub(crate) fn add(&self, bytes: u64) -> Result<(), OverBudget> {
        let Counter { limit, used, peak } = &*self.0;
        let added = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| used <= limit)
        });
        let used = added.map_err(|_| OverBudget)? + bytes;
        peak.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }

    /// Returns a charge of no bytes, which can grow.
    pub(crate) fn empty_charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }

    /// Charges `bytes` until the returned charge is dropped.
    pub(crate) fn charge(&self, bytes: u64) -> Result<Charge, OverBudget> {
        self.add(bytes)?;
        Ok(Charge { budget: self.clone(), bytes })
    }

    /// Charges the size of `bytes` until the last clone of the returned bytes is dropped.
    pub(crate) fn charge_bytes(&self, bytes: Bytes) -> Result<Bytes, OverBudget> {
        let charge = self.charge(bytes.len() as u64)?;
        Ok(Bytes::from_owner(Charged { bytes, _charge: charge }))
    }
}

/// Bytes that are charged to a budget. Dropping it returns them to the budget.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Charge {
    /// Charges `bytes` more.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), OverBudget> {
        self.budget.add(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Changes the charge to `bytes`.
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow(more),
            None => {
                self.budget.0.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
                self.bytes = bytes;
                Ok(())
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes with their charge.
struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_share_one_limit_and_are_returned() {
        let budget = Budget::new(100);
        budget.add(40).unwrap();
        let mut charge = budget.charge(50).unwrap();
        assert_eq!(budget.charge(11).unwrap_err(), OverBudget);
        assert_eq!(charge.resize(61), Err(OverBudget));
        charge.resize(20).unwrap();
        assert!(budget.fits(40) && !budget.fits(41));
        drop(charge);
        assert!(budget.fits(60) && !budget.fits(u64::MAX));
        assert_eq!(budget.peak(), 90);
    }

    #[test]
    fn bytes_are_charged_until_their_last_clone_is_dropped() {
        let budget = Budget::new(10);
        let mut bytes = budget.charge_bytes(Bytes::from_static(b"0123456789")).unwrap();
        let part = bytes.split_to(3);
        drop(bytes);
        assert!(!budget.fits(1));
        drop(part);
        assert!(budget.fits(10));
    }
}
