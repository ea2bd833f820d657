//! Counts the words of a text, and returns a struct.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The word counts of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The number of words.
    pub total: usize,
    /// The number of different words, compared without case.
    pub different: usize,
    /// The most frequent words; words of the same frequency in alphabetic order.
    pub most: Vec<Word>,
}

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The word in lower case.
    pub text: String,
    /// The number of occurrences.
    pub count: usize,
}

/// Counts the words of `text` and returns the `most` frequent ones.
#[hype::function]
pub fn count(text: String, most: usize) -> Words {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    for word in words.filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let (total, different) = (counts.values().sum(), counts.len());
    let mut words: Vec<_> = counts.into_iter().map(|(text, count)| Word { text, count }).collect();
    words.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.text.cmp(&other.text)));
    words.truncate(most);
    Words { total, different, most: words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_ignores_case_and_punctuation() {
        let words = count::call("To be, or not to be: that's it.".into(), 2);
        assert_eq!((words.total, words.different), (8, 6));
        let most = words.most.iter().map(|word| (word.text.as_str(), word.count));
        assert_eq!(most.collect::<Vec<_>>(), [("be", 2), ("to", 2)]);
    }
}
