//! The expansion of `#[hype::function]`.
//!
//! `fn example(..) -> T` becomes a constructor `fn example(..) -> Closure<T>`, natively only, and
//! an empty enum `example` whose `call` is the function as written. An enum and a function can
//! share a name, and one `use` imports both. It is an enum rather than a module so that the body,
//! its paths and its visibility keep their meaning. In the guest the function is registered for
//! the runner, and its record goes into a custom section.
//!
//! Tokens that the user wrote keep their spans, so that diagnostics point at them. All others count
//! as generated, the constructor's copies of names and visibility too, so that lints speak once, and
//! of `call`, which is the function as written. None says that a function is unused: its component
//! offers it.

use std::mem;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{ReturnType, Type, parse_quote};

use crate::attributes::Attributes;
use crate::item::Item;
use crate::mistakes::Mistakes;
use crate::options::Returns;
use crate::signature::{self, Parameter};
use crate::type_name::type_name;

/// The items that `item` becomes, or its mistakes.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    match Function::parse(options, item) {
        Ok(function) => function.into_token_stream(),
        Err(error) => error.into_compile_error(),
    }
}

/// A function that can run elsewhere, as far as its looks tell.
struct Function {
    item: Item,
    attributes: Attributes,
    parameters: Vec<Parameter>,
    result: Type,
    returns: Returns,
}

impl Function {
    fn parse(options: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut item = Item::parse("#[hype::function]", item)?;
        let mut mistakes = Mistakes::default();
        let said = mistakes.keep(Returns::said(options)).flatten();
        let returns = said.unwrap_or_else(|| Returns::guessed(&item.signature.output));
        let parameters = signature::check(&item.signature, returns, &mut mistakes);
        mistakes.finish()?;
        Ok(Self {
            attributes: Attributes::sort(mem::take(&mut item.attributes)),
            result: result(&item.signature.output),
            item,
            parameters,
            returns,
        })
    }

    fn name(&self) -> &Ident {
        &self.item.signature.ident
    }

    fn types(&self) -> impl Iterator<Item = &Type> {
        self.parameters.iter().map(|parameter| &parameter.ty)
    }

    /// `fn example(..) -> Closure<T>`, which binds the arguments.
    fn constructor(&self) -> TokenStream {
        let attributes = &self.attributes.constructor;
        let docs = self.attributes.docs.is_empty().then(|| {
            let docs = format!(" Makes a closure of `{}`.", self.name());
            // Without this, `missing_docs` would speak of the constructor as well as of `call`.
            quote!(#[doc = #docs])
        });
        let visibility = generated(&self.item.visibility);
        let (name, value) = (self.name(), self.value());
        let arguments: Vec<_> = self.parameters.iter().map(|p| generated(&p.name)).collect();
        let types: Vec<_> = self.types().collect();
        let count = u32::try_from(arguments.len()).unwrap_or(u32::MAX);
        let inapplicable = inapplicable_lints();
        quote! {
            #docs
            #inapplicable
            #(#attributes)*
            #[cfg(not(target_family = "wasm"))]
            #visibility fn #name(#(#arguments: #types),*) -> ::hype::Closure<#value> {
                ::hype::__internal::bind::<#value>(
                    &#name::__RECORD,
                    ::hype::__internal::BoundArguments::new(#count)
                        #(.with::<#types>(&#arguments))*
                        .finish(),
                )
            }
        }
    }

    /// The type of what the closure gives back.
    fn value(&self) -> TokenStream {
        let result = &self.result;
        match self.returns {
            Returns::Value => quote!(#result),
            Returns::Fallible => quote!(<#result as ::hype::__internal::Fallible>::Value),
        }
    }

    /// `enum example`, and the function as written in it.
    fn carrier(&self) -> TokenStream {
        let attributes = &self.attributes.carrier;
        let name = self.name();
        let docs = format!(" The plain body of the function `{name}`, as `{name}::call`.");
        let generated_visibility = generated(&self.item.visibility);
        // As one of the macro's, this name may be no camel case.
        let generated_name = generated(name);
        let (record, call) = (self.record(), self.call());
        let inapplicable = inapplicable_lints();
        quote! {
            #(#attributes)*
            #[doc = #docs]
            #generated_visibility enum #generated_name {}

            #inapplicable
            impl #name {
                #[doc(hidden)]
                #generated_visibility const __RECORD:
                    ::hype::__internal::FunctionRecord<'static> = #record;

                #call
            }
        }
    }

    fn call(&self) -> TokenStream {
        let attributes = &self.attributes.call;
        let (visibility, body) = (&self.item.visibility, &self.item.body);
        let mut signature = self.item.signature.clone();
        signature.ident = Ident::new("call", self.name().span());
        quote! {
            #(#attributes)*
            #visibility #signature #body
        }
    }

    fn record(&self) -> TokenStream {
        let name = self.name().unraw().to_string();
        let parameters = self.parameters.iter().map(|parameter| {
            let name = parameter.name.unraw().to_string();
            let type_name = type_name(&parameter.ty);
            quote!(::hype::__internal::ParameterRecord { name: #name, type_name: #type_name })
        });
        // With the span of the name, these give its place; with any other, the attribute's.
        let file = quote_spanned!(self.name().span()=> ::core::file!());
        let line = quote_spanned!(self.name().span()=> ::core::line!());
        let docs = &self.attributes.docs;
        let result = type_name(&self.result);
        quote! {
            ::hype::__internal::FunctionRecord {
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

    /// What only the guest would notice otherwise: that `call` is used, and that an error can cross.
    fn native_checks(&self) -> TokenStream {
        let (name, allowed) = (self.name(), self.allowed());
        let is_fallible = match self.returns {
            Returns::Value => None,
            Returns::Fallible => Some(self.is_fallible()),
        };
        quote! {
            #[cfg(not(target_family = "wasm"))]
            #allowed
            const _: () = {
                #is_fallible
                let _ = #name::call;
            };
        }
    }

    fn is_fallible(&self) -> TokenStream {
        let result = &self.result;
        quote! {
            const fn __is_fallible<R>()
            where
                R: ::hype::__internal::Fallible,
                R::Error: ::hype::__internal::FunctionError,
            {
            }
            __is_fallible::<#result>();
        }
    }

    /// The record in the custom section, and the entry by which the runner finds the function.
    fn registration(&self) -> TokenStream {
        let (name, result, allowed) = (self.name(), &self.result, self.allowed());
        let types = self.types();
        let arguments = Ident::new("__arguments", Span::mixed_site());
        let values: Vec<_> = (0..self.parameters.len())
            .map(|index| format_ident!("__{index}", span = Span::mixed_site()))
            .collect();
        let encode = match self.returns {
            Returns::Value => quote!(value),
            Returns::Fallible => quote!(fallible),
        };
        quote! {
            #[cfg(target_family = "wasm")]
            const _: () = {
                #[used]
                #[unsafe(link_section = "hype:functions")]
                static RECORD: [u8; ::hype::__internal::encoded_len(&#name::__RECORD)] =
                    ::hype::__internal::encode(&#name::__RECORD);
            };

            #[cfg(target_family = "wasm")]
            #allowed
            const _: () = {
                ::hype::__internal::inventory::submit! {
                    ::hype::__internal::Entry {
                        record: &#name::__RECORD,
                        call: |mut #arguments| {
                            #(let #values = #arguments.take::<#types>()?;)*
                            #arguments.finish()?;
                            ::hype::__internal::#encode::<#result>(#name::call(#(#values),*))
                        },
                    }
                }
            };
        }
    }

    /// The attribute for code that names `call` on nobody's behalf.
    fn allowed(&self) -> Option<TokenStream> {
        let is_deprecated = self.attributes.is_deprecated;
        is_deprecated.then(|| quote!(#[allow(deprecated)]))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([
            self.constructor(),
            self.carrier(),
            self.native_checks(),
            self.registration(),
        ]);
    }
}

fn result(output: &ReturnType) -> Type {
    match output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => parse_quote!(()),
    }
}

/// Silences the lints that advise to borrow and to be generic, which closures cannot.
fn inapplicable_lints() -> TokenStream {
    quote!(#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)])
}

/// A copy of what the user wrote that counts as the macro's.
fn generated(tokens: impl ToTokens) -> TokenStream {
    let mark = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &mut token {
            let (delimiter, inner) = (group.delimiter(), generated(group.stream()));
            let span = group.span();
            *group = Group::new(delimiter, inner);
            group.set_span(span);
        }
        token.set_span(Span::mixed_site().located_at(token.span()));
        token
    };
    tokens.into_token_stream().into_iter().map(mark).collect()
}
