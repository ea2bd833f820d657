//! Formats a type for the record of a function, as rustfmt does.
//!
//! The compiler prints tokens separated by spaces, as in `Vec < u8 >`. Users read the record, and it is compared between
//! a program and its component, so it must not depend on the layout of the source.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// Returns `ty` on one line, with the spaces of rustfmt.
pub(crate) fn type_name(ty: &Type) -> String {
    let mut tokens = Tokens(Vec::new());
    tokens.read(ty.to_token_stream());
    tokens.joined()
}

/// The tokens of a type, with operators and lifetimes in one piece: `::`, `->`, `'a`.
struct Tokens(Vec<String>);

impl Tokens {
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
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 && space_between(&self.0[index - 1], token) {
                name.push(' ');
            }
            name.push_str(token);
        }
        name
    }
}

/// Returns whether the group is a tuple with one element, whose trailing comma is required.
fn is_tuple_of_one(group: &Group) -> bool {
    let tuple = syn::parse2::<Type>(group.to_token_stream());
    matches!(tuple, Ok(Type::Tuple(tuple)) if tuple.elems.len() == 1)
}

fn space_between(left: &str, right: &str) -> bool {
    let is_spaced = |token| matches!(token, "->" | "+" | "=");
    let has_space_after = match left {
        "," => right != ")",
        _ => matches!(left, ";" | "{" | "mut" | "const" | "dyn" | "impl"),
    };
    let two_words = (is_word(left) || left == ">") && is_word(right);
    is_spaced(left) || is_spaced(right) || has_space_after || right == "}" || two_words
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphanumeric() || "_'\"".contains(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(source: &str) -> String {
        type_name(&syn::parse_str(source).unwrap())
    }

    #[test]
    fn formatted_types_are_unchanged() {
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
    fn layout_of_the_source_is_normalized() {
        assert_eq!(
            written("HashMap <\n    String,\n    (u32, [ u8;4 ],),\n>"),
            "HashMap<String, (u32, [u8; 4])>"
        );
        assert_eq!(written("( u8 , )"), "(u8,)");
        assert_eq!(written("(Vec<(A, B)>,)"), "(Vec<(A, B)>,)");
    }
}
