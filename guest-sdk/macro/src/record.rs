//! Generates the record that describes a function in its component.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::Type;
use syn::ext::IdentExt;

use crate::attributes::Docs;
use crate::signature::Parameter;
use crate::spans::generated_at;
use crate::type_name::type_name;

/// Returns an expression for the record of the function `name`; `hype` is the path of hype.
pub(crate) fn record(
    hype: &TokenStream,
    name: &Ident,
    docs: &Docs,
    parameters: &[Parameter],
    result: &Type,
) -> TokenStream {
    let site = generated_at(name);
    let parameters = parameters.iter().map(|parameter| {
        let (name, ty) = (parameter.name.unraw().to_string(), type_name(&parameter.ty));
        quote_spanned!(site=> #hype::__internal::ParameterRecord { name: #name, type_name: #ty })
    });
    // The span of the name makes these expand to its location, not to that of the attribute.
    let file = quote_spanned!(name.span()=> ::core::file!());
    let line = quote_spanned!(name.span()=> ::core::line!());
    let name = name.unraw().to_string();
    let result = type_name(result);
    quote_spanned! {site=>
        #hype::__internal::FunctionRecord {
            package: ::core::env!("CARGO_PKG_NAME"),
            name: #name,
            file: #file,
            line: #line,
            docs: #docs,
            parameters: &[#(#parameters),*],
            result: #result,
        }
    }
}
