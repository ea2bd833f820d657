//! Expands `#[hype::function]`.
//!
//! `fn example(..) -> T` becomes a constructor `fn example(..) -> Closure<T>`, natively only, and an empty enum
//! `example` whose `call` is the function as written, and whose `HANDLE` names it. An enum and a function can share a name, and one `use` imports
//! both. Unlike a module, an enum keeps the meaning of the paths and the visibility in the body. In the guest the
//! function is also registered for the runner, and its record goes into a custom section. The expansion uses `call`, so
//! the compiler never reports the function as unused.

use std::mem;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{ReturnType, Type, parse_quote};

use crate::attributes::Attributes;
use crate::hype_path::HypePath;
use crate::item::Item;
use crate::mistakes::Mistakes;
use crate::options::{Options, ReturnKind, hype_path};
use crate::record::record;
use crate::signature::{self, Parameter};
use crate::spans::{around, generated, generated_at};

/// Returns the expansion of `item`, or its errors. `found` is the path of hype unless the options set another.
pub(crate) fn expand(
    found: Result<HypePath, String>,
    options: TokenStream,
    item: TokenStream,
) -> TokenStream {
    match Function::parse(found, options, item) {
        Ok(function) => function.into_token_stream(),
        Err(error) => error.into_compile_error(),
    }
}

/// A function whose signature allows it to run elsewhere.
struct Function {
    item: Item,
    attributes: Attributes,
    parameters: Vec<Parameter>,
    result: Type,
    returns: ReturnKind,
    hype: HypePath,
}

impl Function {
    fn parse(
        found: Result<HypePath, String>,
        options: TokenStream,
        item: TokenStream,
    ) -> syn::Result<Self> {
        let mut item = Item::parse("#[hype::function]", item)?;
        let mut mistakes = Mistakes::default();
        let (path, explicit) = mistakes.keep(Options::of_function(options)).unwrap_or_default();
        let returns = explicit.unwrap_or_else(|| ReturnKind::inferred(&item.signature.output));
        let parameters = signature::check(&item.signature, returns, &mut mistakes);
        mistakes.finish()?;
        Ok(Self {
            hype: hype_path(path, found)?,
            attributes: Attributes::sort(mem::take(&mut item.attributes)),
            result: result(&item.signature.output),
            item,
            parameters,
            returns,
        })
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

impl Function {
    /// Returns `fn example(..) -> Closure<T>`, which binds the arguments.
    fn constructor(&self) -> TokenStream {
        let (name, site, types) = (self.name(), self.site(), self.types());
        let hype = self.hype.at(site);
        let visibility = generated(&self.item.visibility);
        let attributes = &self.attributes.constructor;
        let (docs, inapplicable) = (self.constructor_docs(), inapplicable_lints(site));
        let arguments: Vec<_> = self.parameters.iter().map(|p| generated(&p.name)).collect();
        let count = u32::try_from(arguments.len()).unwrap_or(u32::MAX);
        let value = self.value();
        quote_spanned! {site=>
            #docs
            #inapplicable
            #(#attributes)*
            #[cfg(not(target_family = "wasm"))]
            #visibility fn #name(#(#arguments: #types),*) -> #hype::Closure<#value> {
                #hype::__internal::bind::<#value>(
                    &#name::__RECORD,
                    #hype::__internal::BoundArguments::new(#count)
                        #(.with::<#types>(#arguments))*
                        .finish(),
                )
            }
        }
    }

    /// Returns a doc comment if the user wrote none, so that the lint `missing_docs` reports `call` alone.
    fn constructor_docs(&self) -> Option<TokenStream> {
        let docs = format!(" Makes a closure of `{}`.", self.name());
        let is_missing = self.attributes.docs.is_empty();
        is_missing.then(|| quote_spanned!(self.site()=> #[doc = #docs]))
    }

    /// Returns the type of the closure's value.
    fn value(&self) -> TokenStream {
        match self.returns {
            ReturnKind::Value => self.result.to_token_stream(),
            ReturnKind::Fallible => around(
                &self.result,
                |start| quote_spanned!(start=> <),
                |end| {
                    let hype = self.hype.at(end);
                    quote_spanned!(end=> as #hype::__internal::Fallible>::Value)
                },
            ),
        }
    }

    /// Returns `enum example` with the function as written.
    fn carrier(&self) -> TokenStream {
        let (name, site) = (self.name(), self.site());
        let hype = self.hype.at(site);
        let attributes = &self.attributes.carrier;
        let docs = format!(" The plain body of the function `{name}`, as `{name}::call`.");
        let visibility = generated(&self.item.visibility);
        // A generated name is exempt from the lint on camel case.
        let generated_name = generated(name);
        let inapplicable = inapplicable_lints(site);
        let record = record(&hype, name, &self.attributes.docs, &self.parameters, &self.result);
        let (handle, call) = (self.handle(), self.call());
        quote_spanned! {site=>
            #(#attributes)*
            #[doc = #docs]
            #visibility enum #generated_name {}

            #inapplicable
            impl #name {
                #[doc(hidden)]
                #visibility const __RECORD: #hype::__internal::FunctionRecord<'static> = #record;

                #handle

                #call
            }
        }
    }

    /// Returns the handle of the function, for calls whose arguments are values of others.
    fn handle(&self) -> TokenStream {
        let (site, types, value) = (self.site(), self.types(), self.value());
        let hype = self.hype.at(site);
        let visibility = generated(&self.item.visibility);
        let docs =
            format!(" The handle of `{}`, for calls with values of other calls.", self.name());
        quote_spanned! {site=>
            #[doc = #docs]
            #[cfg(not(target_family = "wasm"))]
            #[allow(dead_code, clippy::type_complexity)]
            #visibility const HANDLE: #hype::FunctionHandle<(#(#types,)*), #value> =
                #hype::__internal::handle(&Self::__RECORD);
        }
    }

    fn call(&self) -> TokenStream {
        let attributes = &self.attributes.call;
        let Item { visibility, body, .. } = &self.item;
        let mut signature = self.item.signature.clone();
        signature.ident = Ident::new("call", self.name().span());
        quote! {
            #(#attributes)*
            #visibility #signature #body
        }
    }

    /// Returns checks that only the guest would perform otherwise: uses `call`, and checks that the error can be sent.
    fn native_checks(&self) -> TokenStream {
        let (name, site) = (self.name(), self.site());
        let allowed = self.allowed();
        let error_crosses = match self.returns {
            ReturnKind::Value => None,
            ReturnKind::Fallible => Some(self.error_crosses()),
        };
        quote_spanned! {site=>
            #[cfg(not(target_family = "wasm"))]
            #allowed
            const _: () = {
                #error_crosses
                let _ = #name::call;
            };
        }
    }

    fn error_crosses(&self) -> TokenStream {
        let check = around(
            &self.result,
            |start| quote_spanned!(start=> __error_crosses::< <),
            |end| {
                let hype = self.hype.at(end);
                quote_spanned!(end=> as #hype::__internal::Fallible>::Error>())
            },
        );
        let hype = self.hype.at(self.site());
        quote_spanned! {self.site()=>
            const fn __error_crosses<E: #hype::__internal::FunctionError>() {}
            #check;
        }
    }

    /// Returns the record in the custom section, and the entry by which the runner finds the function.
    fn registration(&self) -> TokenStream {
        let (name, site) = (self.name(), self.site());
        let hype = self.hype.at(site);
        let (allowed, entry) = (self.allowed(), self.entry());
        quote_spanned! {site=>
            #[cfg(target_family = "wasm")]
            const _: () = {
                #[used]
                #[unsafe(link_section = "hype:functions")]
                static RECORD: [::core::primitive::u8;
                    #hype::__internal::encoded_len(&#name::__RECORD)] =
                    #hype::__internal::encode(&#name::__RECORD);
            };

            #[cfg(target_family = "wasm")]
            #allowed
            const _: () = {
                #hype::__internal::inventory::submit! { #entry }
            };
        }
    }

    fn entry(&self) -> TokenStream {
        let (name, site, types) = (self.name(), self.site(), self.types());
        let (result, hype) = (&self.result, self.hype.at(site));
        let values: Vec<_> = (0..self.parameters.len())
            .map(|index| format_ident!("__{index}", span = site))
            .collect();
        let encode = match self.returns {
            ReturnKind::Value => quote_spanned!(site=> value),
            ReturnKind::Fallible => quote_spanned!(site=> fallible),
        };
        quote_spanned! {site=>
            #hype::__internal::Entry {
                record: &#name::__RECORD,
                call: |mut __arguments| {
                    #(let #values = __arguments.take::<#types>()?;)*
                    __arguments.finish()?;
                    #hype::__internal::#encode::<#result>(#name::call(#(#values),*))
                },
            }
        }
    }

    /// Returns an attribute for generated code that uses `call`: it must not warn that the function is deprecated.
    fn allowed(&self) -> Option<TokenStream> {
        let is_deprecated = self.attributes.is_deprecated;
        is_deprecated.then(|| quote_spanned!(self.site()=> #[allow(deprecated)]))
    }

    fn name(&self) -> &Ident {
        &self.item.signature.ident
    }

    fn site(&self) -> Span {
        generated_at(self.name())
    }

    fn types(&self) -> Vec<&Type> {
        self.parameters.iter().map(|parameter| &parameter.ty).collect()
    }
}

fn result(output: &ReturnType) -> Type {
    match output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => parse_quote!(()),
    }
}

/// Allows lints that suggest borrowed or generic parameters, which closures cannot have.
fn inapplicable_lints(site: Span) -> TokenStream {
    quote_spanned!(site=> #[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)])
}
