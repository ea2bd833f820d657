//! An annotated function, as far as the macros must understand it.
//!
//! The body stays the tokens that it is: nothing here depends on what stands in it, so syntax that
//! this crate's parser doesn't know yet passes through, and mistakes in it are the compiler's to
//! report.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, LitStr, Signature, Token, Visibility};

/// A function with its body unread.
pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

impl Item {
    /// The function under the attribute that is written as `attribute`.
    pub(crate) fn parse(attribute: &str, tokens: TokenStream) -> syn::Result<Self> {
        Parser::parse2(|input: ParseStream<'_>| Self::read(attribute, input), tokens)
    }

    fn read(attribute: &str, input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !is_function(input) {
            let problem = format!("`{attribute}` goes on a function: `fn name(..) {{ .. }}`");
            return Err(input.error(problem));
        }
        let signature: Signature = input.parse()?;
        match input.parse()? {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                Ok(Self { attributes, visibility, signature, body })
            }
            other => Err(syn::Error::new_spanned(
                other,
                format!("`{}` needs a body: `{{ .. }}`", signature.ident),
            )),
        }
    }
}

fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while !ahead.peek(Token![fn]) {
        let is_qualifier = ahead.peek(Token![const])
            || ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(LitStr);
        if !is_qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    true
}
