//! The orders of a map's results.

use std::collections::VecDeque;

use crate::map::items::ItemEnd;

/// The order of the closures, in which a [`Map`](crate::map::Map) returns their results. It keeps the ends of items that
/// wait until all earlier items have ended.
#[derive(Debug, Default)]
pub struct InOrder {
    /// The index of the next item to return, which is the first of `waiting`.
    next: u64,
    waiting: VecDeque<Option<ItemEnd>>,
}

/// The order in which the items end, see [`Map::unordered`](crate::map::Map::unordered).
#[derive(Debug)]
pub struct AsTheyEnd {
    /// Ends that a map in order had kept.
    kept: VecDeque<ItemEnd>,
}

impl From<InOrder> for AsTheyEnd {
    fn from(order: InOrder) -> Self {
        Self { kept: order.waiting.into_iter().flatten().collect() }
    }
}

impl AsTheyEnd {
    /// Returns an end that a map in order had kept.
    pub(crate) fn next_kept(&mut self) -> Option<ItemEnd> {
        self.kept.pop_front()
    }
}

impl InOrder {
    pub(crate) fn insert(&mut self, end: ItemEnd) {
        // The window bounds the distance.
        let position = (end.index - self.next) as usize;
        if position >= self.waiting.len() {
            self.waiting.resize_with(position + 1, || None);
        }
        self.waiting[position] = Some(end);
    }

    /// Returns the end of the next item, if it has ended.
    pub(crate) fn next(&mut self) -> Option<ItemEnd> {
        let end = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        self.next += 1;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn end(index: u64) -> ItemEnd {
        ItemEnd { index, arguments: 0, result: Err(Error::input(index.to_string())) }
    }

    #[test]
    fn ends_are_returned_in_order() {
        let mut order = InOrder::default();
        for (ended, returned) in
            [(2, vec![]), (0, vec![0]), (3, vec![]), (1, vec![1, 2, 3]), (4, vec![4])]
        {
            order.insert(end(ended));
            let all: Vec<_> = std::iter::from_fn(|| order.next().map(|end| end.index)).collect();
            assert_eq!(all, returned);
        }
    }

    #[test]
    fn kept_ends_are_not_lost_if_the_order_changes() {
        let mut order = InOrder::default();
        [2, 0, 1, 4].into_iter().for_each(|index| order.insert(end(index)));
        order.next();
        let mut kept = AsTheyEnd::from(order);
        let all: Vec<_> = std::iter::from_fn(|| kept.next_kept().map(|end| end.index)).collect();
        assert_eq!(all, [1, 2, 4]);
    }
}
