//! The tree of a reduction, whose shape follows from the number of items alone.
//!
//! A node merges its two children, each of which has a power of two of consecutive items. Where the items end, a left child
//! without a right one takes the place of its parent. So five items become `((0 1) (2 3)) 4`.

use std::collections::BTreeMap;

use crate::map::node::Node;

/// The values that wait for their siblings.
#[derive(Debug)]
pub(crate) struct Tree<V> {
    waiting: BTreeMap<Node, V>,
    /// The number of items, once it is known.
    items: Option<u64>,
    root: Option<V>,
}

/// Two neighbouring values to merge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Merge<V> {
    /// The node of the merged value.
    pub(crate) node: Node,
    pub(crate) left: V,
    pub(crate) right: V,
}

impl<V> Default for Tree<V> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), items: None, root: None }
    }
}

impl<V> Tree<V> {
    /// Adds the value of a node. Returns the merge with its sibling, if that is here.
    pub(crate) fn insert(&mut self, mut node: Node, value: V) -> Option<Merge<V>> {
        while let Some(items) = self.items {
            if node.has_all(items) {
                self.root = Some(value);
                return None;
            }
            if node.sibling().first_item() < items {
                break;
            }
            node = node.parent();
        }
        let Some(other) = self.waiting.remove(&node.sibling()) else {
            self.waiting.insert(node, value);
            return None;
        };
        let (left, right) = if node.is_left() { (value, other) } else { (other, value) };
        Some(Merge { node: node.parent(), left, right })
    }

    /// Records the number of items. Returns the merges of values without a sibling.
    pub(crate) fn end(&mut self, items: u64) -> Vec<Merge<V>> {
        self.items = Some(items);
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().filter_map(|(node, value)| self.insert(node, value)).collect()
    }

    /// Returns whether the number of items is known.
    pub(crate) fn has_ended(&self) -> bool {
        self.items.is_some()
    }

    /// Returns whether all items are merged.
    pub(crate) fn is_complete(&self) -> bool {
        self.items == Some(0) || self.root.is_some()
    }

    /// Takes the value of all items; `None` if there are none.
    pub(crate) fn take_root(&mut self) -> Option<V> {
        self.root.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of numbers that look random.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % end
        }
    }

    /// Merges `items` texts, whose items and merges end in a random order, and the end of the input becomes known at a random
    /// moment after its last item has started. Returns the value, and the largest number of values that waited.
    fn merged(
        items: u64,
        numbers: &mut Numbers,
        merge: impl Fn(&str, &str) -> String,
    ) -> (Option<String>, usize) {
        let item = |position: u64| (Node { level: 0, position }, format!("{position};"));
        let (mut tree, mut running, mut next, mut largest) = (Tree::default(), Vec::new(), 0, 0);
        loop {
            // At most eight calls run at once.
            while running.len() < 8 && next < items {
                running.push(item(next));
                next += 1;
            }
            let mut merges = Vec::new();
            if next == items && !tree.has_ended() && (running.is_empty() || numbers.below(3) == 0) {
                merges = tree.end(items);
            }
            if merges.is_empty() && running.is_empty() {
                break;
            }
            if !running.is_empty() {
                let (node, value) = running.swap_remove(numbers.below(running.len()));
                merges.extend(tree.insert(node, value));
            }
            for Merge { node, left, right } in merges {
                running.push((node, merge(&left, &right)));
            }
            largest = largest.max(tree.waiting.len());
        }
        assert!(tree.is_complete() && tree.waiting.is_empty());
        (tree.take_root(), largest)
    }

    #[test]
    fn concatenation_equals_the_left_fold_in_each_order() {
        let mut numbers = Numbers(7);
        for items in (0..70).chain([127, 128, 129, 1000]) {
            let folded = (0..items).map(|item| format!("{item};")).reduce(|all, item| all + &item);
            for _ in 0..10 {
                let (value, _) =
                    merged(items, &mut numbers, |left, right| format!("{left}{right}"));
                assert_eq!(value, folded);
            }
        }
    }

    #[test]
    fn shape_follows_from_the_number_of_items_alone() {
        let mut numbers = Numbers(7);
        let pair = |left: &str, right: &str| format!("({left}{right})");
        for (items, expected) in [
            (1, "0;"),
            (2, "(0;1;)"),
            (3, "((0;1;)2;)"),
            (5, "(((0;1;)(2;3;))4;)"),
            (7, "(((0;1;)(2;3;))((4;5;)6;))"),
        ] {
            for _ in 0..100 {
                assert_eq!(merged(items, &mut numbers, pair).0.unwrap(), expected);
            }
        }
    }

    #[test]
    fn few_values_wait() {
        let mut numbers = Numbers(7);
        let (_, largest) = merged(20_000, &mut numbers, |_, _| String::new());
        // Eight calls run at once, and the tree has 15 levels.
        assert!(largest <= 8 * 15, "{largest}");
    }
}
