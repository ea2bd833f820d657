//! The expansion of `#[hype::function]`.
//!
//! `fn example(..) -> T` becomes a constructor `fn example(..) -> Closure<T>`, natively only, and
//! an empty enum `example` whose `call` is the function as written. An enum and a function can
//! share a name, and one `use` imports both. It is an enum rather than a module so that the body,
//! its paths and its visibility keep their meaning. In the guest the function is registered for
//! the runner, and its record goes into a custom section. Nothing says that a function is unused:
//! its component offers it.

use std::mem;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{ReturnType, Type, parse_quote};

use crate::attributes::Attributes;
use crate::hype_path::HypePath;
use crate::item::Item;
use crate::mistakes::Mistakes;
use crate::options::{Options, Returns, hype_path};
use crate::record::record;
use crate::signature::{self, Parameter};
use crate::spans::{around, generated, generated_at};

/// The items that `item` becomes, or its mistakes. hype is `found` under that path unless the options name
/// another.
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

/// A function that can run elsewhere, as far as its looks tell.
struct Function {
    item: Item,
    attributes: Attributes,
    parameters: Vec<Parameter>,
    result: Type,
    returns: Returns,
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
        let (path, said) = mistakes.keep(Options::of_function(options)).unwrap_or_default();
        let returns = said.unwrap_or_else(|| Returns::guessed(&item.signature.output));
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
    /// `fn example(..) -> Closure<T>`, which binds the arguments.
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

    /// Something to say where the user says nothing, so that `missing_docs` speaks of `call` alone.
    fn constructor_docs(&self) -> Option<TokenStream> {
        let docs = format!(" Makes a closure of `{}`.", self.name());
        let is_missing = self.attributes.docs.is_empty();
        is_missing.then(|| quote_spanned!(self.site()=> #[doc = #docs]))
    }

    /// The type of what the closure gives back.
    fn value(&self) -> TokenStream {
        match self.returns {
            Returns::Value => self.result.to_token_stream(),
            Returns::Fallible => around(
                &self.result,
                |start| quote_spanned!(start=> <),
                |end| {
                    let hype = self.hype.at(end);
                    quote_spanned!(end=> as #hype::__internal::Fallible>::Value)
                },
            ),
        }
    }

    /// `enum example`, and in it the function as written.
    fn carrier(&self) -> TokenStream {
        let (name, site) = (self.name(), self.site());
        let hype = self.hype.at(site);
        let attributes = &self.attributes.carrier;
        let docs = format!(" The plain body of the function `{name}`, as `{name}::call`.");
        let visibility = generated(&self.item.visibility);
        // As the macro's, the name needn't be in camel case.
        let generated_name = generated(name);
        let inapplicable = inapplicable_lints(site);
        let record = record(&hype, name, &self.attributes.docs, &self.parameters, &self.result);
        let call = self.call();
        quote_spanned! {site=>
            #(#attributes)*
            #[doc = #docs]
            #visibility enum #generated_name {}

            #inapplicable
            impl #name {
                #[doc(hidden)]
                #visibility const __RECORD: #hype::__internal::FunctionRecord<'static> = #record;

                #call
            }
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

    /// What only the guest would notice otherwise: that `call` is used, and that an error can cross.
    fn native_checks(&self) -> TokenStream {
        let (name, site) = (self.name(), self.site());
        let allowed = self.allowed();
        let error_crosses = match self.returns {
            Returns::Value => None,
            Returns::Fallible => Some(self.error_crosses()),
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

    /// The record in the custom section, and the entry by which the runner finds the function.
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
            Returns::Value => quote_spanned!(site=> value),
            Returns::Fallible => quote_spanned!(site=> fallible),
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

    /// The attribute for code that names `call` on nobody's behalf.
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

/// Silences the lints that advise to borrow and to be generic, which closures cannot.
fn inapplicable_lints(site: Span) -> TokenStream {
    quote_spanned!(site=> #[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)])
}
