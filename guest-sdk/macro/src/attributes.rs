//! Distributes a function's attributes over the generated items.
//!
//! One function becomes three items: the constructor of its closure, its body `call`, and the type that carries `call`.
//! An attribute is copied to each item to which it applies, such that each lint reports once.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, parse_quote};

/// A function's attributes, by generated item.
#[derive(Default)]
pub(crate) struct Attributes {
    /// Attributes of the closure's constructor.
    pub(crate) constructor: Vec<Attribute>,
    /// Attributes of the type that carries the body.
    pub(crate) carrier: Vec<Attribute>,
    /// Attributes of the body.
    pub(crate) call: Vec<Attribute>,
    /// The doc comments.
    pub(crate) docs: Docs,
    /// Whether the function has the attribute `#[deprecated]`.
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

    /// Expects the lint in the body, the code as written, and allows it in the constructor.
    fn add_expectation(&mut self, attribute: Attribute) {
        if let Meta::List(expected) = &attribute.meta {
            let lints = &expected.tokens;
            self.constructor.push(parse_quote!(#[allow(#lints)]));
        }
        self.call.push(attribute);
    }
}

/// The lines of doc comments. A line can be a macro call that expands to a string.
#[derive(Default)]
pub(crate) struct Docs(Vec<Expr>);

impl Docs {
    /// Returns whether there are no doc comments.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text as Markdown, without the space that follows `///`; `None` if a line is a macro call.
    fn literal(&self) -> Option<String> {
        let lines: Option<Vec<_>> = self.0.iter().map(text).collect();
        let lines = lines?.join("\n");
        let indented = |line: &str| line.is_empty() || line.starts_with(' ');
        let indent = usize::from(lines.lines().all(indented));
        let lines: Vec<_> = lines.lines().map(|line| line.get(indent..).unwrap_or("")).collect();
        Some(lines.join("\n").trim().to_owned())
    }
}

/// Generates an expression of type `&str`.
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
    fn docs_are_converted_to_markdown() {
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
    fn lint_expectation_applies_to_the_body_only() {
        let sorted = sorted("#[expect(clippy::unit_arg, reason = \"r\")]");
        assert_eq!(written(&sorted.constructor), r#"#[allow(clippy::unit_arg,reason="r")]"#);
        assert_eq!(written(&sorted.call), r#"#[expect(clippy::unit_arg,reason="r")]"#);
    }

    #[test]
    fn attributes_go_to_the_items_they_apply_to() {
        let sorted = sorted("#[inline] #[doc(hidden)] #[deprecated] #[tracing::instrument]");
        assert_eq!(written(&sorted.constructor), "#[doc(hidden)]#[deprecated]");
        assert_eq!(written(&sorted.carrier), "#[doc(hidden)]");
        assert_eq!(written(&sorted.call), "#[inline]#[deprecated]#[tracing::instrument]");
        assert!(sorted.is_deprecated);
    }
}
