//! What the parentheses of the macros say, and what a function's return type stands for.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, Meta, MetaNameValue, Path, ReturnType, Token};

use crate::crossing;
use crate::hype_path::HypePath;

/// The options of a macro.
pub(crate) struct Options {
    /// The path of the crate hype, if the user names it.
    hype: Option<Path>,
    /// All other options.
    others: Vec<Meta>,
}

impl Options {
    /// Reads options; `unknown` is said of what can't be any.
    pub(crate) fn parse(tokens: TokenStream, unknown: &str) -> syn::Result<Self> {
        let options = Punctuated::<Meta, Token![,]>::parse_terminated
            .parse2(tokens)
            .map_err(|error| syn::Error::new(error.span(), unknown))?;
        let mut said = Self { hype: None, others: Vec::new() };
        for option in options {
            if !option.path().is_ident("crate") {
                said.others.push(option);
            } else if said.hype.replace(path(&option)?).is_some() {
                let problem = "`crate` is there twice: keep one of them";
                return Err(syn::Error::new_spanned(option, problem));
            }
        }
        Ok(said)
    }

    /// The options of a macro that knows `crate` alone.
    pub(crate) fn crate_alone(tokens: TokenStream, unknown: &str) -> syn::Result<Option<Path>> {
        let Self { hype, others } = Self::parse(tokens, unknown)?;
        match others.first() {
            Some(other) => Err(syn::Error::new_spanned(other, unknown)),
            None => Ok(hype),
        }
    }

    /// What the options of `#[hype::function]` say.
    pub(crate) fn of_function(tokens: TokenStream) -> syn::Result<(Option<Path>, Option<Returns>)> {
        let Self { hype, others } = Self::parse(tokens, UNKNOWN)?;
        Ok((hype, Returns::said(&others)?))
    }
}

/// The path that the user wrote, else the one that was `found`.
pub(crate) fn hype_path(
    written: Option<Path>,
    found: Result<HypePath, String>,
) -> syn::Result<HypePath> {
    match written {
        Some(path) => Ok(HypePath::Written(path)),
        // Without tokens of its own, the error stands at the attribute.
        None => found.map_err(|problem| syn::Error::new_spanned(TokenStream::new(), problem)),
    }
}

/// The path in `crate = path`, which may be a string as other crates have it.
fn path(option: &Meta) -> syn::Result<Path> {
    let problem = "name the path of the crate: `crate = path::of::hype`";
    match option {
        Meta::NameValue(MetaNameValue { value: Expr::Path(path), .. }) if path.qself.is_none() => {
            Ok(path.path.clone())
        }
        Meta::NameValue(MetaNameValue {
            value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }),
            ..
        }) => text.parse().map_err(|_| syn::Error::new_spanned(text, problem)),
        other => Err(syn::Error::new_spanned(other.to_token_stream(), problem)),
    }
}

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
    fn said(options: &[Meta]) -> syn::Result<Option<Self>> {
        let mut said = None;
        for option in options {
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

const UNKNOWN: &str = "not an option: the options are `fallible`, `value` and `crate = path`";

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::*;

    fn said(options: &str) -> Result<Option<Returns>, String> {
        let options = Options::of_function(parse_str(options).unwrap());
        options.map(|(_, returns)| returns).map_err(|error| error.to_string())
    }

    fn named(options: &str) -> Result<Option<String>, String> {
        let options = Options::of_function(parse_str(options).unwrap());
        let path = |path: Path| path.to_token_stream().to_string();
        options.map(|(hype, _)| hype.map(path)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_is_fallible_or_a_value_if_it_says_so() {
        assert_eq!(said(""), Ok(None));
        assert_eq!(said("fallible"), Ok(Some(Returns::Fallible)));
        assert_eq!(said("value,"), Ok(Some(Returns::Value)));
        assert_eq!(said("crate = h, value"), Ok(Some(Returns::Value)));
    }

    #[test]
    fn the_path_of_hype_is_a_path_or_a_string() {
        assert_eq!(named("value"), Ok(None));
        assert_eq!(named("crate = h"), Ok(Some("h".to_owned())));
        assert_eq!(named("crate = ::a::hype"), Ok(Some(":: a :: hype".to_owned())));
        assert_eq!(named("crate = crate::hype"), Ok(Some("crate :: hype".to_owned())));
        assert_eq!(named("crate = \"a::hype\""), Ok(Some("a :: hype".to_owned())));
        for options in ["crate", "crate = 3", "crate(h)", "crate = \"a b\"", "crate = <u8>::a"] {
            assert!(named(options).unwrap_err().contains("name the path"), "{options}");
        }
        assert!(named("crate = a, crate = b").unwrap_err().contains("twice"));
    }

    #[test]
    fn anything_else_names_the_options() {
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
