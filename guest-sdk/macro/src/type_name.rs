//! A type as a person writes it, for the record of a function.
//!
//! Compilers print tokens apart, as in `Vec < u8 >`. The record is shown to people and compared
//! between a program and its component, so it doesn't depend on how a source is laid out.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// `ty` on one line, spaced as rustfmt spaces it.
pub(crate) fn type_name(ty: &Type) -> String {
    let mut marks = Marks(Vec::new());
    marks.read(ty.to_token_stream());
    marks.joined()
}

/// The words and signs of a type, with what is one sign in one piece: `::`, `->`, `'a`.
struct Marks(Vec<String>);

impl Marks {
    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.read_group(&group),
                TokenTree::Punct(sign) => self.read_sign(sign.as_char()),
                word => self.read_word(&word.to_string()),
            }
        }
    }

    fn read_group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::None => return self.read(group.stream()),
        };
        self.0.push(open.to_owned());
        self.read(group.stream());
        if !is_tuple_of_one(group) {
            self.drop_trailing_comma();
        }
        self.0.push(close.to_owned());
    }

    fn read_sign(&mut self, sign: char) {
        let last = self.0.last_mut();
        match (last, sign) {
            (Some(last), ':') if last == ":" => last.push(':'),
            (Some(last), '>') if last == "-" => last.push('>'),
            (_, '>') => {
                self.drop_trailing_comma();
                self.0.push(">".to_owned());
            }
            _ => self.0.push(sign.to_string()),
        }
    }

    fn read_word(&mut self, word: &str) {
        match self.0.last_mut() {
            Some(last) if last == "'" => last.push_str(word),
            _ => self.0.push(word.to_owned()),
        }
    }

    fn drop_trailing_comma(&mut self) {
        self.0.pop_if(|last| last == ",");
    }

    fn joined(&self) -> String {
        let mut name = String::new();
        for (index, mark) in self.0.iter().enumerate() {
            if index > 0 && space_between(&self.0[index - 1], mark) {
                name.push(' ');
            }
            name.push_str(mark);
        }
        name
    }
}

/// Whether the only comma of a tuple is its last token, where it makes the tuple.
fn is_tuple_of_one(group: &Group) -> bool {
    let tuple = syn::parse2::<Type>(group.to_token_stream());
    matches!(tuple, Ok(Type::Tuple(tuple)) if tuple.elems.len() == 1)
}

fn space_between(left: &str, right: &str) -> bool {
    let apart = |mark| matches!(mark, "->" | "+" | "=");
    let opens_after = match left {
        "," => right != ")",
        _ => matches!(left, ";" | "{" | "mut" | "const" | "dyn" | "impl"),
    };
    let two_words = (is_word(left) || left == ">") && is_word(right);
    apart(left) || apart(right) || opens_after || right == "}" || two_words
}

fn is_word(mark: &str) -> bool {
    mark.starts_with(|first: char| first.is_alphanumeric() || "_'\"".contains(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(source: &str) -> String {
        type_name(&syn::parse_str(source).unwrap())
    }

    #[test]
    fn what_a_person_writes_stays() {
        for name in [
            "()",
            "u8",
            "Vec<u8>",
            "[u8; 32]",
            "[Option<f64>; N]",
            "(u8,)",
            "(u32, (String, Vec<u8>))",
            "HashMap<String, (u32, Option<T>)>",
            "std::io::Result<()>",
            "::std::vec::Vec<Vec<Vec<u8>>>",
            "Result<u8, Box<dyn Error + Send + Sync>>",
            "Cow<'static, str>",
            "<Vec<u8> as IntoIterator>::Item",
            "Box<dyn Fn(u8, &'static mut [u8]) -> u8>",
            "Box<dyn for<'a> Fn(&'a str)>",
            "Matrix<f64, 3, { N + 1 }>",
            "Stream<Item = u8>",
            "*const u8",
            "r#type::T",
        ] {
            assert_eq!(written(name), name);
        }
    }

    #[test]
    fn the_layout_of_the_source_is_gone() {
        assert_eq!(
            written("HashMap <\n    String,\n    (u32, [ u8;4 ],),\n>"),
            "HashMap<String, (u32, [u8; 4])>"
        );
        assert_eq!(written("( u8 , )"), "(u8,)");
        assert_eq!(written("(Vec<(A, B)>,)"), "(Vec<(A, B)>,)");
    }
}
