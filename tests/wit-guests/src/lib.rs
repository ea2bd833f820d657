//! A component that knows nothing of hype: its functions have WIT types.

#![cfg(target_family = "wasm")]
#![expect(missing_docs, reason = "wit-bindgen generates traits without comments")]

wit_bindgen::generate!({ path: "wit", world: "text" });

use std::collections::BTreeMap;

use exports::acme::text::stats::{Count, DocumentBorrow, Everything, Options, Problem};
use exports::acme::text::{other, stats};

struct Text;

struct Document(String);

impl stats::GuestDocument for Document {
    fn new(text: String) -> Self {
        Self(text)
    }
}

impl stats::Guest for Text {
    type Document = Document;

    fn top(text: String, n: u32) -> Vec<Count> {
        let mut counts = BTreeMap::new();
        text.split_whitespace().for_each(|word| *counts.entry(word).or_default() += 1);
        let count = |(word, times_seen): (&str, u32)| Count { word: word.to_owned(), times_seen };
        let mut counts: Vec<_> = counts.into_iter().map(count).collect();
        counts.sort_by_key(|count| std::cmp::Reverse(count.times_seen));
        counts.truncate(n as usize);
        counts
    }

    fn words(text: String, options: Options) -> Result<u32, Problem> {
        let is_counted =
            |word: &&str| options & Options::SKIP_SHORT != Options::SKIP_SHORT || word.len() > 3;
        match text.split_whitespace().filter(is_counted).count() as u32 {
            0 => Err(Problem::EmptyText),
            many @ 4.. => Err(Problem::TooLong(many)),
            few => Ok(few),
        }
    }

    fn echo(x: Everything) -> Everything {
        x
    }

    fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    fn is_longer(text: String, than: DocumentBorrow<'_>) -> bool {
        text.len() > than.get::<Document>().0.len()
    }
}

impl other::Guest for Text {
    fn top() -> u32 {
        7
    }
}

impl Guest for Text {
    fn greet(name: String) -> String {
        format!("hello {name}")
    }
}

export!(Text);
