//! Expands `hype::component!`: constructors of closures, handles, and types, for the functions of a WIT world.
//!
//! - `load`: reads WIT text or a component.
//! - `world`: selects the functions that can be called.
//! - `needed`: finds the types that a function needs, or the reason why it can't be called.
//! - `types`: generates Rust types; `expected` the description that a component is compared with.
//! - `names`: converts names to those of Rust.

mod expected;
mod load;
mod names;
mod needed;
#[cfg(test)]
mod tests;
mod types;
mod world;

use std::path::Path;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Meta, MetaNameValue, Token};
use wit_parser::Function;

use crate::component::load::Loaded;
use crate::component::world::{Module, World};
use crate::hype_path::HypePath;
use crate::options::{Options, hype_path};

/// The error message for unknown options.
const UNKNOWN: &str = "write `hype::component!(\"app.wit\")`, optionally with `world = \"name\"`, \
                       `package = \"name\"` and `crate = path`";

/// The parsed arguments of `hype::component!`.
struct Request {
    path: LitStr,
    world: Option<LitStr>,
    package: Option<LitStr>,
    hype: HypePath,
}

/// Returns constructors and types for the world at the path in `tokens`, which is relative to `root`. `found` is the
/// path of hype unless the options set another.
pub(crate) fn expand(
    found: Result<HypePath, String>,
    tokens: TokenStream,
    root: &Path,
) -> TokenStream {
    let request = match Request::parse(tokens, found) {
        Ok(request) => request,
        Err(error) => return error.into_compile_error(),
    };
    request.generate(root).unwrap_or_else(|problem| {
        syn::Error::new_spanned(&request.path, problem).into_compile_error()
    })
}

impl Request {
    fn parse(tokens: TokenStream, found: Result<HypePath, String>) -> syn::Result<Self> {
        let parse = |input: syn::parse::ParseStream<'_>| {
            let path: LitStr = input.parse()?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            Ok((path, input.parse::<TokenStream>()?))
        };
        let (path, options) =
            parse.parse2(tokens).map_err(|error| syn::Error::new(error.span(), UNKNOWN))?;
        let Options { hype, others } = Options::parse(options, UNKNOWN)?;
        let mut request = Self { path, world: None, package: None, hype: hype_path(hype, found)? };
        for option in others {
            let (name, text) = text_option(&option)?;
            let value = match name.as_str() {
                "world" => &mut request.world,
                "package" => &mut request.package,
                _ => return Err(syn::Error::new_spanned(option, UNKNOWN)),
            };
            if value.replace(text).is_some() {
                let problem = format!("`{name}` is there twice: keep one of them");
                return Err(syn::Error::new_spanned(option, problem));
            }
        }
        Ok(request)
    }

    fn generate(&self, root: &Path) -> Result<TokenStream, String> {
        let world_name = self.world.as_ref().map(LitStr::value);
        let loaded = Loaded::read(root, &self.path.value(), world_name.as_deref())?;
        if let (Some(_), Some(package)) = (&loaded.component, &self.package) {
            return Err(format!(
                "the component is compiled into the program: remove `package = \"{}\"`",
                package.value()
            ));
        }
        let world = World::of(&loaded.resolve, loaded.world)?;
        let hype = self.hype.at(Span::call_site());
        let component = names::of_static(&self.path.value(), world_name.as_deref());
        let files = loaded.files.iter().map(|file| {
            quote!(
                const _: &[::core::primitive::u8] = ::core::include_bytes!(#file);
            )
        });
        let source = self.source(&hype, &loaded);
        let generator = Generator { hype: &hype, component: &component, world: &world };
        let modules = world.modules().map(|module| generator.module(module));
        let modules = modules.collect::<Vec<_>>();
        Ok(quote! {
            #(#[cfg(not(target_family = "wasm"))] #files)*
            #[cfg(not(target_family = "wasm"))]
            #[doc(hidden)]
            #[allow(non_upper_case_globals)]
            static #component: #hype::__internal::TypedComponent = #source;
            #(#modules)*
        })
    }

    /// Returns the value of the static that finds the component at run time.
    fn source(&self, hype: &TokenStream, loaded: &Loaded) -> TokenStream {
        match (&loaded.component, &self.package) {
            (Some(file), _) => {
                let path = Path::new(file);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                quote! {
                    #hype::__internal::TypedComponent::embedded(#name, ::core::include_bytes!(#file))
                }
            }
            (None, Some(package)) => {
                quote!(#hype::__internal::TypedComponent::of_package(#package))
            }
            (None, None) => {
                quote!(#hype::__internal::TypedComponent::of_package(::core::env!("CARGO_PKG_NAME")))
            }
        }
    }
}

/// Returns the name and the text of an option `name = "text"`.
fn text_option(option: &Meta) -> syn::Result<(String, LitStr)> {
    match option {
        Meta::NameValue(MetaNameValue {
            path,
            value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }),
            ..
        }) => {
            let name = path.get_ident().map(Ident::to_string).unwrap_or_default();
            Ok((name, text.clone()))
        }
        _ => Err(syn::Error::new_spanned(option, UNKNOWN)),
    }
}

/// Generates the items of a world.
struct Generator<'a> {
    /// The path of hype.
    hype: &'a TokenStream,
    /// The static that finds the component.
    component: &'a Ident,
    world: &'a World<'a>,
}

impl Generator<'_> {
    /// Returns the module of an interface, or the items of the world itself.
    fn module(&self, module: &Module<'_>) -> TokenStream {
        let types = module.types.iter().flat_map(|id| self.type_items(module, *id));
        let functions = module.functions.iter().flat_map(|it| self.function_items(module, it));
        let items = types.chain(functions);
        // The user doesn't call every function, and WIT doesn't document every field, nor in the markup of rustdoc.
        let lints = quote! {
            #[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
        };
        match &module.name {
            None => quote!(#(#[cfg(not(target_family = "wasm"))] #lints #items)*),
            Some(name) => {
                let docs = names::docs(module.docs);
                let left_out = module.left_out_docs();
                quote! {
                    #docs
                    #left_out
                    #[cfg(not(target_family = "wasm"))]
                    #lints
                    pub mod #name { #(#items)* }
                }
            }
        }
    }

    /// Returns the constructor of closures of a function, its handle, and the static that finds it. No other item has the
    /// name of a handle, since the names of constructors have no capital letters.
    fn function_items(&self, module: &Module<'_>, function: &Function) -> [TokenStream; 3] {
        let (hype, name) = (self.hype, &function.name);
        let docs = names::docs(&function.docs);
        let ident = names::snake(name);
        let (found, handle) = (names::of_function(name), names::of_handle(name));
        let handle_docs =
            format!(" The handle of `{ident}`, for calls with values of other calls.");
        let parameters: Vec<_> =
            function.params.iter().map(|parameter| names::snake(&parameter.name)).collect();
        let types = function.params.iter().map(|parameter| self.rust_type(module, &parameter.ty));
        let types: Vec<_> = types.collect();
        let value = self.value_type(module, function);
        let expected = self.expected(module, function);
        let home = match module.name {
            Some(_) => format_ident!("super"),
            None => format_ident!("self"),
        };
        let component = self.component;
        let constructor = quote! {
            #docs
            pub fn #ident(#(#parameters: #types),*) -> #hype::Closure<#value> {
                #hype::__internal::bind_typed(&#found, (#(#parameters,)*))
            }
        };
        let handle = quote! {
            #[doc = #handle_docs]
            pub const #handle: #hype::FunctionHandle<(#(#types,)*), #value> =
                #hype::__internal::typed_handle(&#found);
        };
        let found = quote! {
            static #found: #hype::__internal::TypedFunction = #hype::__internal::TypedFunction {
                component: &#home::#component,
                name: #name,
                types: || #expected,
            };
        };
        [constructor, handle, found]
    }
}
