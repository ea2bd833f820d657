//! What a function's return type stands for: what the attribute's parentheses say, else its looks.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Meta, ReturnType, Token};

use crate::crossing;

/// What a return type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    /// The value.
    Value,
    /// The value or an error.
    Fallible,
}

impl Returns {
    /// What the user says of it, if anything.
    pub(crate) fn said(options: TokenStream) -> syn::Result<Option<Self>> {
        let options = Punctuated::<Meta, Token![,]>::parse_terminated
            .parse2(options)
            .map_err(|error| syn::Error::new(error.span(), UNKNOWN))?;
        let mut said = None;
        for option in &options {
            let this = Self::from_option(option)?;
            if said.replace(this).is_some() {
                let problem = "a function is `fallible` or `value`: keep one of them";
                return Err(syn::Error::new_spanned(option, problem));
            }
        }
        Ok(said)
    }

    /// What it looks like: a type whose last segment is `Result` is fallible.
    pub(crate) fn guessed(output: &ReturnType) -> Self {
        let last = match output {
            ReturnType::Type(_, ty) => crossing::last_segment(ty),
            ReturnType::Default => None,
        };
        match last {
            Some(last) if last.ident == "Result" => Self::Fallible,
            _ => Self::Value,
        }
    }

    fn from_option(option: &Meta) -> syn::Result<Self> {
        match option {
            Meta::Path(path) if path.is_ident("fallible") => Ok(Self::Fallible),
            Meta::Path(path) if path.is_ident("value") => Ok(Self::Value),
            other => Err(syn::Error::new_spanned(other, UNKNOWN)),
        }
    }
}

const UNKNOWN: &str = "not an option: the options are `fallible` and `value`";

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::*;

    fn said(options: &str) -> Result<Option<Returns>, String> {
        Returns::said(parse_str(options).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn there_are_two_options_and_none_is_needed() {
        assert_eq!(said(""), Ok(None));
        assert_eq!(said("fallible"), Ok(Some(Returns::Fallible)));
        assert_eq!(said("value,"), Ok(Some(Returns::Value)));
    }

    #[test]
    fn anything_else_names_the_two() {
        for options in ["Fallible", "name = \"x\"", "fallible(true)", "\"value\"", "3", ","] {
            assert_eq!(said(options), Err(UNKNOWN.to_owned()), "{options}");
        }
        assert!(said("value, fallible").unwrap_err().contains("keep one"));
    }

    #[test]
    fn the_last_segment_tells() {
        let guessed = |output| Returns::guessed(&parse_str(output).unwrap());
        for output in ["-> Result<u8, E>", "-> std::io::Result<()>", "-> (crate::Result)"] {
            assert_eq!(guessed(output), Returns::Fallible, "{output}");
        }
        for output in ["", "-> ()", "-> Option<Result<u8, E>>", "-> Result::Of", "-> (Result,)"] {
            assert_eq!(guessed(output), Returns::Value, "{output}");
        }
    }
}
