//! Chooses the spans of generated code, where the compiler reports errors.
//!
//! Tokens that the user wrote keep their spans. Generated tokens are located at the function's name but belong to the
//! macro: errors are reported there rather than at the attribute, and style lints skip them. The constructor's copies
//! of the user's tokens are marked as generated too, so each lint reports once, for `call`.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::Type;

/// Returns the span for code that is generated for the function `name`.
pub(crate) fn generated_at(name: &Ident) -> Span {
    Span::mixed_site().located_at(name.span())
}

/// Returns a copy of the user's tokens that is marked as generated.
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

/// Returns `ty` between `open` and `close`, which get the spans of its first and last token, so that errors about the
/// whole are reported at `ty`.
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
