//! Generates the description of a function, with which its component is compared at run time.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use wit_parser::{Function, Type, TypeDefKind};

use crate::component::Generator;
use crate::component::world::Module;

impl Generator<'_> {
    /// Returns an expression of the type `WitFunction`.
    pub(super) fn expected(&self, module: &Module<'_>, function: &Function) -> TokenStream {
        let hype = self.hype;
        let interface = option(module.interface.as_ref().map(owned));
        let name = owned(&function.name);
        let parameters = function.params.iter().map(|parameter| {
            let (name, of) = (owned(&parameter.name), self.wit_type(&parameter.ty));
            quote!((#name, #of))
        });
        let result = option(function.result.as_ref().map(|of| self.wit_type(of)));
        quote! {
            #hype::component::WitFunction {
                interface: #interface,
                name: #name,
                docs: ::std::string::String::new(),
                parameters: ::std::vec![#(#parameters),*],
                result: #result,
                refusal: ::core::option::Option::None,
            }
        }
    }

    /// Returns an expression of the type `WitType`.
    fn wit_type(&self, of: &Type) -> TokenStream {
        let hype = self.hype;
        let variant = match of {
            Type::Bool => quote!(Bool),
            Type::U8 => quote!(U8),
            Type::U16 => quote!(U16),
            Type::U32 => quote!(U32),
            Type::U64 => quote!(U64),
            Type::S8 => quote!(S8),
            Type::S16 => quote!(S16),
            Type::S32 => quote!(S32),
            Type::S64 => quote!(S64),
            Type::F32 => quote!(F32),
            Type::F64 => quote!(F64),
            Type::Char => quote!(Char),
            Type::String => quote!(String),
            Type::Id(id) => match &self.world.resolve.types[*id].kind {
                TypeDefKind::Type(of) => return self.wit_type(of),
                kind => self.wit_kind(kind),
            },
            // Functions with other types are left out.
            Type::ErrorContext => quote!(Never),
        };
        quote!(#hype::component::WitType::#variant)
    }

    fn wit_kind(&self, kind: &TypeDefKind) -> TokenStream {
        let boxed = |of: &Type| {
            let of = self.wit_type(of);
            quote!(::std::boxed::Box::new(#of))
        };
        match kind {
            TypeDefKind::List(of) => {
                let of = boxed(of);
                quote!(List(#of))
            }
            TypeDefKind::Option(of) => {
                let of = boxed(of);
                quote!(Option(#of))
            }
            TypeDefKind::Result(result) => {
                let ok = option(result.ok.as_ref().map(boxed));
                let err = option(result.err.as_ref().map(boxed));
                quote!(Result { ok: #ok, err: #err })
            }
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().map(|of| self.wit_type(of));
                quote!(Tuple(::std::vec![#(#types),*]))
            }
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let (name, of) = (owned(&field.name), self.wit_type(&field.ty));
                    quote!((#name, #of))
                });
                quote!(Record(::std::vec![#(#fields),*]))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let name = owned(&case.name);
                    let of = option(case.ty.as_ref().map(|of| self.wit_type(of)));
                    quote!((#name, #of))
                });
                quote!(Variant(::std::vec![#(#cases),*]))
            }
            TypeDefKind::Enum(of) => {
                let names = of.cases.iter().map(|case| owned(&case.name));
                quote!(Enum(::std::vec![#(#names),*]))
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter().map(|flag| owned(&flag.name));
                quote!(Flags(::std::vec![#(#names),*]))
            }
            // Functions with other types are left out.
            _ => quote!(Never),
        }
    }
}

fn owned(text: &String) -> TokenStream {
    quote!(::std::string::String::from(#text))
}

fn option(of: Option<impl ToTokens>) -> TokenStream {
    match of {
        Some(of) => quote!(::core::option::Option::Some(#of)),
        None => quote!(::core::option::Option::None),
    }
}
