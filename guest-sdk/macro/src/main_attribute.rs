//! Expands `#[hype::main]`.
//!
//! The function is nested in a plain one of the same name, which passes it to the runtime.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ReturnType;
use syn::spanned::Spanned;

use crate::hype_path::HypePath;
use crate::item::Item;
use crate::mistakes::Mistakes;
use crate::options::{Options, hype_path};
use crate::spans::generated_at;

/// Returns the expansion of `item`, or its errors. `found` is the path of hype unless the options set another.
pub(crate) fn expand(
    found: Result<HypePath, String>,
    options: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let item = Item::parse("#[hype::main]", item);
    match item.and_then(|item| check(found, options, &item).map(|hype| (item, hype))) {
        Ok((item, hype)) => wrap(&item, &hype),
        Err(error) => error.into_compile_error(),
    }
}

fn check(
    found: Result<HypePath, String>,
    options: TokenStream,
    item: &Item,
) -> syn::Result<HypePath> {
    let mut mistakes = Mistakes::default();
    let signature = &item.signature;
    let unknown = "`#[hype::main]` has the option `crate = path` alone: remove this";
    let path = mistakes.keep(Options::crate_alone(options, unknown)).flatten();
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
    mistakes.finish()?;
    hype_path(path, found)
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

fn wrap(item: &Item, path: &HypePath) -> TokenStream {
    let Item { attributes, visibility, signature, body } = item;
    let name = &signature.ident;
    // Errors about an invalid return type are reported at that type.
    let at = match &signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => name.span(),
    };
    let (hype, option) = (path.at(at), path.option());
    let run = match signature.asyncness {
        Some(_) => quote_spanned!(at=> #hype::__internal::run_main(#name())),
        None => quote_spanned!(at=> #hype::__internal::run_blocking_main(#name)),
    };
    let hype = path.at(generated_at(name));
    quote_spanned! {generated_at(name)=>
        #(#attributes)*
        #visibility fn #name() -> ::std::process::ExitCode {
            #signature #body
            #hype::embed!(#option);
            #run
        }
    }
}
