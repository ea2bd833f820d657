//! The expansion of `#[hype::main]`.
//!
//! The function moves into a plain one of the same name, which hands it to the runtime.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ReturnType;
use syn::spanned::Spanned;

use crate::item::Item;
use crate::mistakes::Mistakes;
use crate::spans::generated_at;

/// The function that `item` becomes, or its mistakes.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = Item::parse("#[hype::main]", item);
    match item.and_then(|item| check(options, &item).map(|()| item)) {
        Ok(item) => wrap(&item),
        Err(error) => error.into_compile_error(),
    }
}

fn check(options: TokenStream, item: &Item) -> syn::Result<()> {
    let mut mistakes = Mistakes::default();
    let signature = &item.signature;
    if !options.is_empty() {
        mistakes.add(options, "`#[hype::main]` has no options: remove this");
    }
    if !signature.inputs.is_empty() {
        let problem = "`main` has no parameters: read `std::env::args()`";
        mistakes.add(&signature.inputs, problem);
    }
    if !signature.generics.params.is_empty() {
        mistakes.add(&signature.generics, "`main` is not generic: remove this");
    }
    if let Some(clause) = &signature.generics.where_clause {
        mistakes.add(clause, "`main` is not generic: remove the `where` clause");
    }
    check_qualifiers(signature, &mut mistakes);
    mistakes.finish()
}

fn check_qualifiers(signature: &syn::Signature, mistakes: &mut Mistakes) {
    let problem = "`main` is a plain or an `async` function: remove this";
    if let Some(qualifier) = &signature.constness {
        mistakes.add(qualifier, problem);
    }
    if let Some(qualifier) = &signature.unsafety {
        mistakes.add(qualifier, problem);
    }
    if let Some(qualifier) = &signature.abi {
        mistakes.add(qualifier, problem);
    }
}

fn wrap(item: &Item) -> TokenStream {
    let Item { attributes, visibility, signature, body } = item;
    let name = &signature.ident;
    // A type that `main` cannot give is reported where it stands.
    let at = match &signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => name.span(),
    };
    let run = match signature.asyncness {
        Some(_) => quote_spanned!(at=> ::hype::__internal::run_main(#name())),
        None => quote_spanned!(at=> ::hype::__internal::run_blocking_main(#name)),
    };
    quote_spanned! {generated_at(name)=>
        #(#attributes)*
        #visibility fn #name() -> ::std::process::ExitCode {
            #signature #body
            ::hype::embed!();
            #run
        }
    }
}
