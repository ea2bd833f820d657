//! Where the compiler reports what is wrong with generated code.
//!
//! Tokens that the user wrote keep their spans. All others stand at the function's name but count
//! as the macro's: mistakes are shown there rather than at the attribute, while lints on style pass
//! over them and over the constructor's copies of what the user wrote. So lints speak once, and of
//! `call`, which is the function as written.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;

/// The span for what is generated of the function `name`.
pub(crate) fn generated_at(name: &Ident) -> Span {
    Span::mixed_site().located_at(name.span())
}

/// A copy of what the user wrote that counts as the macro's.
pub(crate) fn generated(tokens: impl ToTokens) -> TokenStream {
    let mark = |mut token: TokenTree| {
        let span = token.span();
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), generated(group.stream())).into();
        }
        token.set_span(Span::mixed_site().located_at(span));
        token
    };
    tokens.into_token_stream().into_iter().map(mark).collect()
}

/// `ty` between `open` and `close`, which take the spans of its two ends: what is wrong with the
/// whole is then reported at `ty`.
pub(crate) fn around(
    ty: &Type,
    open: impl Fn(Span) -> TokenStream,
    close: impl Fn(Span) -> TokenStream,
) -> TokenStream {
    let mut spans = ty.to_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    let end = spans.last().unwrap_or(start);
    let (open, close) = (open(start), close(end));
    quote!(#open #ty #close)
}
