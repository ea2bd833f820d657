//! Parses the options of the macros, and classifies return types.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, Meta, MetaNameValue, Path, ReturnType, Token};

use crate::crossing;
use crate::hype_path::HypePath;

/// The options of a macro.
pub(crate) struct Options {
    /// The path of the crate hype, if the user sets it.
    pub(crate) hype: Option<Path>,
    /// All other options.
    pub(crate) others: Vec<Meta>,
}

impl Options {
    /// Parses options; `unknown` is the error message for invalid ones.
    pub(crate) fn parse(tokens: TokenStream, unknown: &str) -> syn::Result<Self> {
        let options = Punctuated::<Meta, Token![,]>::parse_terminated
            .parse2(tokens)
            .map_err(|error| syn::Error::new(error.span(), unknown))?;
        let mut parsed = Self { hype: None, others: Vec::new() };
        for option in options {
            if !option.path().is_ident("crate") {
                parsed.others.push(option);
            } else if parsed.hype.replace(path(&option)?).is_some() {
                let problem = "`crate` is there twice: keep one of them";
                return Err(syn::Error::new_spanned(option, problem));
            }
        }
        Ok(parsed)
    }

    /// Parses the options of a macro whose only option is `crate`.
    pub(crate) fn crate_alone(tokens: TokenStream, unknown: &str) -> syn::Result<Option<Path>> {
        let Self { hype, others } = Self::parse(tokens, unknown)?;
        match others.first() {
            Some(other) => Err(syn::Error::new_spanned(other, unknown)),
            None => Ok(hype),
        }
    }

    /// Parses the options of `#[hype::function]`.
    pub(crate) fn of_function(
        tokens: TokenStream,
    ) -> syn::Result<(Option<Path>, Option<ReturnKind>)> {
        let Self { hype, others } = Self::parse(tokens, UNKNOWN)?;
        Ok((hype, ReturnKind::explicit(&others)?))
    }
}

/// Returns the path that the user set, else the `found` one.
pub(crate) fn hype_path(
    written: Option<Path>,
    found: Result<HypePath, String>,
) -> syn::Result<HypePath> {
    match written {
        Some(path) => Ok(HypePath::Written(path)),
        // An error without tokens is reported at the attribute.
        None => found.map_err(|problem| syn::Error::new_spanned(TokenStream::new(), problem)),
    }
}

/// Parses the path in `crate = path`, which may be a string as in serde's attributes.
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

/// The kind of a return type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnKind {
    /// A plain value.
    Value,
    /// A `Result`: a value or an error.
    Fallible,
}

impl ReturnKind {
    /// Returns the kind that the options set, if any.
    fn explicit(options: &[Meta]) -> syn::Result<Option<Self>> {
        let mut explicit = None;
        for option in options {
            let this = Self::from_option(option)?;
            if explicit.replace(this).is_some() {
                let problem = "a function is `fallible` or `value`: keep one of them";
                return Err(syn::Error::new_spanned(option, problem));
            }
        }
        Ok(explicit)
    }

    /// Infers the kind from the name: a type whose last path segment is `Result` is fallible.
    pub(crate) fn inferred(output: &ReturnType) -> Self {
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

    fn explicit(options: &str) -> Result<Option<ReturnKind>, String> {
        let options = Options::of_function(parse_str(options).unwrap());
        options.map(|(_, returns)| returns).map_err(|error| error.to_string())
    }

    fn named(options: &str) -> Result<Option<String>, String> {
        let options = Options::of_function(parse_str(options).unwrap());
        let path = |path: Path| path.to_token_stream().to_string();
        options.map(|(hype, _)| hype.map(path)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_set_the_return_kind() {
        assert_eq!(explicit(""), Ok(None));
        assert_eq!(explicit("fallible"), Ok(Some(ReturnKind::Fallible)));
        assert_eq!(explicit("value,"), Ok(Some(ReturnKind::Value)));
        assert_eq!(explicit("crate = h, value"), Ok(Some(ReturnKind::Value)));
    }

    #[test]
    fn crate_option_is_a_path_or_a_string() {
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
    fn unknown_option_lists_the_options() {
        for options in ["Fallible", "name = \"x\"", "fallible(true)", "\"value\"", "3", ","] {
            assert_eq!(explicit(options), Err(UNKNOWN.to_owned()), "{options}");
        }
        assert!(explicit("value, fallible").unwrap_err().contains("keep one"));
    }

    #[test]
    fn last_path_segment_decides_the_return_kind() {
        let inferred = |output| ReturnKind::inferred(&parse_str(output).unwrap());
        for output in ["-> Result<u8, E>", "-> std::io::Result<()>", "-> (crate::Result)"] {
            assert_eq!(inferred(output), ReturnKind::Fallible, "{output}");
        }
        for output in ["", "-> ()", "-> Option<Result<u8, E>>", "-> Result::Of", "-> (Result,)"] {
            assert_eq!(inferred(output), ReturnKind::Value, "{output}");
        }
    }
}
