//! The numbers of the calls of a map: its items, and the merges of a reduction.

use std::fmt;

/// The bit of the numbers of merges.
const MERGE: u64 = 1 << 63;

/// The position of the level in the number of a merge. The bits below it have the position of the node.
const LEVEL: u32 = 57;

/// A node of the tree of a reduction: up to 2^`level` consecutive items, from `position` * 2^`level` on. The nodes of
/// level 0 are the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) level: u32,
    pub(crate) position: u64,
}

impl Node {
    /// Returns the node that [`number`](Self::number) numbers.
    pub(crate) fn of_number(number: u64) -> Self {
        match number & MERGE {
            0 => Self { level: 0, position: number },
            _ => Self {
                level: ((number & !MERGE) >> LEVEL) as u32,
                position: number & ((1 << LEVEL) - 1),
            },
        }
    }

    /// Returns the number of the node's call in its map: the index of an item, or a larger number for a merge.
    pub(crate) fn number(self) -> u64 {
        match self.level {
            0 => self.position,
            level => MERGE | (u64::from(level) << LEVEL) | self.position,
        }
    }

    /// Returns whether the node is a merge.
    pub(crate) fn is_merge(self) -> bool {
        self.level > 0
    }

    /// Returns the index of the node's first item.
    pub(crate) fn first_item(self) -> u64 {
        self.position << self.level
    }

    /// Returns whether the node has all items of a map that has this many.
    pub(crate) fn has_all(self, items: u64) -> bool {
        self.position == 0 && 1 << self.level >= items
    }

    /// Returns whether the node is the left one of the two that its parent merges.
    pub(crate) fn is_left(self) -> bool {
        self.position.is_multiple_of(2)
    }

    pub(crate) fn sibling(self) -> Self {
        Self { position: self.position ^ 1, ..self }
    }

    pub(crate) fn parent(self) -> Self {
        Self { level: self.level + 1, position: self.position / 2 }
    }
}

impl fmt::Display for Node {
    /// Writes `17` for an item, and `4..8` for a merge of the items 4 to 7.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_merge() {
            false => write!(f, "{}", self.position),
            true => write!(f, "{}..{}", self.first_item(), (self.position + 1) << self.level),
        }
    }
}

/// The name of a node's call in messages.
pub(crate) struct Named(pub(crate) Node);

impl fmt::Display for Named {
    /// Writes `item 17`, or `the merge of the items 4..8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_merge() {
            false => write!(f, "item {}", self.0),
            true => write!(f, "the merge of the items {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_return_to_their_nodes() {
        let largest = (1 << LEVEL) - 1;
        for node in [(0, 0), (0, 17), (0, largest), (1, 0), (2, 1), (57, 0), (1, largest / 2)] {
            let node = Node { level: node.0, position: node.1 };
            assert_eq!(Node::of_number(node.number()), node);
            assert_eq!(node.number() >= MERGE, node.is_merge());
        }
        assert_eq!(Node { level: 0, position: 17 }.number(), 17);
    }

    #[test]
    fn names_have_the_items() {
        assert_eq!(Named(Node { level: 0, position: 17 }).to_string(), "item 17");
        let merge = Node { level: 2, position: 1 };
        assert_eq!(Named(merge).to_string(), "the merge of the items 4..8");
    }
}
