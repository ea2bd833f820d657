//! Which of a function's attributes go where.
//!
//! One function becomes three items: the constructor of its closure, its plain body `call`, and
//! the type that carries `call`. To the user they are one, so what is said of the function must
//! hold for each as far as it makes sense there, and be reported once.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, parse_quote};

/// A function's attributes, sorted.
#[derive(Default)]
pub(crate) struct Attributes {
    /// For what makes the closure.
    pub(crate) constructor: Vec<Attribute>,
    /// For the type that carries the body.
    pub(crate) carrier: Vec<Attribute>,
    /// For the body.
    pub(crate) call: Vec<Attribute>,
    /// What the doc comments say.
    pub(crate) docs: Docs,
    /// Whether every use of the function is a warning.
    pub(crate) is_deprecated: bool,
}

impl Attributes {
    pub(crate) fn sort(attributes: Vec<Attribute>) -> Self {
        let mut sorted = Self::default();
        for attribute in attributes {
            sorted.add(attribute);
        }
        sorted
    }

    fn add(&mut self, attribute: Attribute) {
        let name = attribute.path().get_ident().map(ToString::to_string);
        match (name.as_deref(), &attribute.meta) {
            (Some("doc"), Meta::NameValue(doc)) => {
                self.docs.0.push(doc.value.clone());
                self.add_to_both(attribute);
            }
            (Some("doc"), _) => {
                self.constructor.push(attribute.clone());
                self.carrier.push(attribute);
            }
            (Some("deprecated"), _) => {
                self.is_deprecated = true;
                self.add_to_both(attribute);
            }
            (Some("allow" | "warn" | "deny" | "forbid"), _) => self.add_to_both(attribute),
            (Some("expect"), _) => self.add_expectation(attribute),
            _ => self.call.push(attribute),
        }
    }

    fn add_to_both(&mut self, attribute: Attribute) {
        self.constructor.push(attribute.clone());
        self.call.push(attribute);
    }

    /// The body is the code as written, so that is where a lint shows that the user expects.
    fn add_expectation(&mut self, attribute: Attribute) {
        if let Meta::List(expected) = &attribute.meta {
            let lints = &expected.tokens;
            self.constructor.push(parse_quote!(#[allow(#lints)]));
        }
        self.call.push(attribute);
    }
}

/// The lines of doc comments, of which one can be a macro that gives a text.
#[derive(Default)]
pub(crate) struct Docs(Vec<Expr>);

impl Docs {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As Markdown: without the space that follows `///`.
    fn literal(&self) -> Option<String> {
        let lines: Option<Vec<_>> = self.0.iter().map(text).collect();
        let lines = lines?.join("\n");
        let indented = |line: &str| line.is_empty() || line.starts_with(' ');
        let indent = usize::from(lines.lines().all(indented));
        let lines: Vec<_> = lines.lines().map(|line| line.get(indent..).unwrap_or("")).collect();
        Some(lines.join("\n").trim().to_owned())
    }
}

/// An expression of the text.
impl ToTokens for Docs {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match (self.literal(), self.0.as_slice()) {
            (Some(literal), _) => literal.to_tokens(tokens),
            (None, [line]) => line.to_tokens(tokens),
            (None, lines) => {
                let lines = lines.iter().map(|line| match text(line) {
                    Some(text) => text.strip_prefix(' ').unwrap_or(&text).to_token_stream(),
                    None => line.to_token_stream(),
                });
                tokens.extend(quote!(::core::concat!(#(#lines, "\n"),*)));
            }
        }
    }
}

fn text(line: &Expr) -> Option<String> {
    match line {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse::Parser;

    use super::*;

    fn sorted(attributes: &str) -> Attributes {
        Attributes::sort(Attribute::parse_outer.parse_str(attributes).unwrap())
    }

    fn written(attributes: &[Attribute]) -> String {
        quote!(#(#attributes)*).to_string().replace(' ', "")
    }

    #[test]
    fn docs_are_told_as_markdown() {
        let docs = |source| sorted(source).docs.to_token_stream().to_string();
        assert_eq!(docs(""), r#""""#);
        assert_eq!(
            docs("/// Counts.\n///\n///     code\n/// end"),
            r#""Counts.\n\n    code\nend""#
        );
        assert_eq!(docs("#[doc = \"Tight.\"]"), r#""Tight.""#);
        assert_eq!(
            docs("/// A b.\n#[doc = include_str!(\"a.md\")]"),
            r#":: core :: concat ! ("A b." , "\n" , include_str ! ("a.md") , "\n")"#
        );
    }

    #[test]
    fn a_lint_is_expected_of_the_body_alone() {
        let sorted = sorted("#[expect(clippy::unit_arg, reason = \"r\")]");
        assert_eq!(written(&sorted.constructor), r#"#[allow(clippy::unit_arg,reason="r")]"#);
        assert_eq!(written(&sorted.call), r#"#[expect(clippy::unit_arg,reason="r")]"#);
    }

    #[test]
    fn each_item_gets_what_means_something_to_it() {
        let sorted = sorted("#[inline] #[doc(hidden)] #[deprecated] #[tracing::instrument]");
        assert_eq!(written(&sorted.constructor), "#[doc(hidden)]#[deprecated]");
        assert_eq!(written(&sorted.carrier), "#[doc(hidden)]");
        assert_eq!(written(&sorted.call), "#[inline]#[deprecated]#[tracing::instrument]");
        assert!(sorted.is_deprecated);
    }
}
