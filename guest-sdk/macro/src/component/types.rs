//! Generates Rust types.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use wit_parser::{Flags, Function, Type, TypeDefKind, TypeId};

use crate::component::world::{Module, owner};
use crate::component::{Generator, names};

impl Generator<'_> {
    /// Returns the type of the closure's value: that of `ok`, if the function returns a `result`.
    pub(super) fn value_type(&self, module: &Module<'_>, function: &Function) -> TokenStream {
        let Some(of) = &function.result else {
            return quote!(());
        };
        match self.resolved(of) {
            Some(TypeDefKind::Result(result)) => self.optional(module, result.ok.as_ref()),
            _ => self.rust_type(module, of),
        }
    }

    /// Returns the definition behind aliases, unless it is primitive.
    pub(super) fn resolved(&self, of: &Type) -> Option<&TypeDefKind> {
        match of {
            Type::Id(id) => match &self.world.resolve.types[*id].kind {
                TypeDefKind::Type(of) => self.resolved(of),
                kind => Some(kind),
            },
            _ => None,
        }
    }

    /// Returns whether `of` is `u8` behind aliases.
    fn is_byte(&self, of: &Type) -> bool {
        match of {
            Type::U8 => true,
            Type::Id(id) => match &self.world.resolve.types[*id].kind {
                TypeDefKind::Type(of) => self.is_byte(of),
                _ => false,
            },
            _ => false,
        }
    }

    fn optional(&self, module: &Module<'_>, of: Option<&Type>) -> TokenStream {
        of.map_or_else(|| quote!(()), |of| self.rust_type(module, of))
    }

    /// Returns the Rust type, as code in `module` names it.
    pub(super) fn rust_type(&self, module: &Module<'_>, of: &Type) -> TokenStream {
        let primitive = match of {
            Type::Bool => quote!(bool),
            Type::U8 => quote!(u8),
            Type::U16 => quote!(u16),
            Type::U32 => quote!(u32),
            Type::U64 => quote!(u64),
            Type::S8 => quote!(i8),
            Type::S16 => quote!(i16),
            Type::S32 => quote!(i32),
            Type::S64 => quote!(i64),
            Type::F32 => quote!(f32),
            Type::F64 => quote!(f64),
            Type::Char => quote!(char),
            Type::String => return quote!(::std::string::String),
            Type::Id(id) => return self.defined(module, *id),
            // Functions with other types are left out.
            Type::ErrorContext => quote!(!),
        };
        quote!(::core::primitive::#primitive)
    }

    fn defined(&self, module: &Module<'_>, id: TypeId) -> TokenStream {
        let definition = &self.world.resolve.types[id];
        match &definition.name {
            Some(name) => {
                let name = names::pascal(name);
                let home = owner(self.world.resolve, id);
                let home = self.world.module_of(home).and_then(|home| home.name.as_ref());
                match (&module.name, home) {
                    (Some(here), Some(home)) if here == home => quote!(#name),
                    (Some(_), Some(home)) => quote!(super::#home::#name),
                    (Some(_), None) => quote!(super::#name),
                    (None, Some(home)) => quote!(#home::#name),
                    (None, None) => quote!(#name),
                }
            }
            None => self.structural(module, &definition.kind),
        }
    }

    /// Returns a type without a name in WIT.
    fn structural(&self, module: &Module<'_>, kind: &TypeDefKind) -> TokenStream {
        match kind {
            TypeDefKind::List(of) if self.is_byte(of) => {
                let hype = self.hype;
                quote!(#hype::Bytes)
            }
            TypeDefKind::List(of) => {
                let of = self.rust_type(module, of);
                quote!(::std::vec::Vec<#of>)
            }
            TypeDefKind::Option(of) => {
                let of = self.rust_type(module, of);
                quote!(::core::option::Option<#of>)
            }
            TypeDefKind::Result(result) => {
                let ok = self.optional(module, result.ok.as_ref());
                let err = self.optional(module, result.err.as_ref());
                quote!(::core::result::Result<#ok, #err>)
            }
            TypeDefKind::Tuple(tuple) => {
                let types = tuple.types.iter().map(|of| self.rust_type(module, of));
                quote!((#(#types,)*))
            }
            TypeDefKind::Type(of) => self.rust_type(module, of),
            // Functions with other types are left out.
            _ => quote!(!),
        }
    }

    /// Returns the definition of a named type, and the implementations of traits that are not derived.
    pub(super) fn type_items(&self, module: &Module<'_>, id: TypeId) -> Vec<TokenStream> {
        let definition = &self.world.resolve.types[id];
        let ident = names::pascal(definition.name.as_deref().unwrap_or_default());
        let docs = names::docs(&definition.docs);
        let serde = self.serde(&[]);
        let item = match &definition.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let docs = names::docs(&field.docs);
                    let (name, ident) = (&field.name, names::snake(&field.name));
                    let of = self.rust_type(module, &field.ty);
                    quote!(#docs #[serde(rename = #name)] pub #ident: #of)
                });
                quote!(#docs #serde pub struct #ident { #(#fields),* })
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| {
                    let docs = names::docs(&case.docs);
                    let (name, ident) = (&case.name, names::pascal(&case.name));
                    let content = case.ty.as_ref().map(|of| self.rust_type(module, of));
                    let content = content.map(|of| quote!((#of)));
                    quote!(#docs #[serde(rename = #name)] #ident #content)
                });
                quote!(#docs #serde pub enum #ident { #(#cases),* })
            }
            TypeDefKind::Enum(of) => {
                let serde = self.serde(&["Copy", "Eq", "Hash", "PartialOrd", "Ord"]);
                let cases = of.cases.iter().map(|case| {
                    let docs = names::docs(&case.docs);
                    let (name, ident) = (&case.name, names::pascal(&case.name));
                    quote!(#docs #[serde(rename = #name)] #ident)
                });
                quote!(#docs #serde pub enum #ident { #(#cases),* })
            }
            TypeDefKind::Flags(flags) => {
                let [item, serialize, deserialize] = self.flags(&ident, flags);
                return vec![quote!(#docs #item), serialize, deserialize];
            }
            kind => {
                let of = self.structural(module, kind);
                quote!(#docs pub type #ident = #of;)
            }
        };
        vec![item]
    }

    /// Returns the derives of a type, `more` included.
    fn serde(&self, more: &[&str]) -> TokenStream {
        let hype = self.hype;
        let path = quote!(#hype::serde).to_string().replace(' ', "");
        let more = more.iter().map(|name| format_ident!("{name}"));
        quote! {
            #[derive(
                Debug, Clone, PartialEq, #(#more,)* #hype::serde::Serialize, #hype::serde::Deserialize
            )]
            #[serde(crate = #path)]
        }
    }

    /// Returns a structure with a field for each flag, which is sent as the list of the flags that are set, and the
    /// implementations for that.
    fn flags(&self, ident: &syn::Ident, flags: &Flags) -> [TokenStream; 3] {
        let hype = self.hype;
        let names: Vec<_> = flags.flags.iter().map(|flag| &flag.name).collect();
        let fields: Vec<_> = names.iter().map(|name| names::snake(name)).collect();
        let docs = flags.flags.iter().map(|flag| names::docs(&flag.docs));
        let structure = quote! {
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
            pub struct #ident { #(#docs pub #fields: ::core::primitive::bool),* }
        };
        let serialize = quote! {
            impl #hype::serde::Serialize for #ident {
                fn serialize<S: #hype::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    let all: &[(&::core::primitive::str, ::core::primitive::bool)] =
                        &[#((#names, self.#fields)),*];
                    let set = all.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
                    serializer.collect_seq(set)
                }
            }
        };
        let deserialize = quote! {
            impl<'de> #hype::serde::Deserialize<'de> for #ident {
                fn deserialize<D: #hype::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    let set: ::std::vec::Vec<::std::string::String> =
                        #hype::serde::Deserialize::deserialize(deserializer)?;
                    let mut flags = Self::default();
                    for name in &set {
                        match name.as_str() {
                            #(#names => flags.#fields = true,)*
                            other => {
                                return ::core::result::Result::Err(
                                    #hype::serde::de::Error::unknown_variant(other, &[#(#names),*]),
                                );
                            }
                        }
                    }
                    ::core::result::Result::Ok(flags)
                }
            }
        };
        [structure, serialize, deserialize]
    }
}
