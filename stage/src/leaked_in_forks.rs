//! A value that only the process that created it drops.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// A value that other threads use. A fork of the process has none of these threads, and may have copied the value while one of
/// them changed it or held its lock. So its drop does nothing there.
///
/// ```
/// use hype_stage::LeakedInForks;
///
/// let list = LeakedInForks::new(vec![1]);
/// assert_eq!(list.len(), 1);
/// assert_eq!(list.into_inner(), [1]);
/// ```
#[derive(Debug)]
pub struct LeakedInForks<T> {
    process: u32,
    value: ManuallyDrop<T>,
}

impl<T> LeakedInForks<T> {
    /// Creates a value of this process.
    pub fn new(value: T) -> Self {
        Self { process: std::process::id(), value: ManuallyDrop::new(value) }
    }

    /// Returns the value, which is dropped as usual from then on.
    pub fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never used again, nor dropped.
        unsafe { ManuallyDrop::take(&mut this.value) }
    }
}

impl<T> Deref for LeakedInForks<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for LeakedInForks<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for LeakedInForks<T> {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // SAFETY: nothing uses the value after the drop of its owner.
            unsafe { ManuallyDrop::drop(&mut self.value) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn only_its_process_drops_a_value() {
        let value = Rc::new(());
        drop(LeakedInForks::new(Rc::clone(&value)));
        assert_eq!(Rc::strong_count(&value), 1);
        let mut of_parent = LeakedInForks::new(Rc::clone(&value));
        of_parent.process += 1;
        drop(of_parent);
        assert_eq!(Rc::strong_count(&value), 2);
    }
}
