//! Expands `hype::embed!`.
//!
//! `cargo hype build --embed` lists the components in an environment variable. The expansion reads the variable and
//! includes the files, so cargo recompiles the program when the variable or a component changes.

use std::path::Path;

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::hype_path::HypePath;
use crate::options::{Options, hype_path};

/// The environment variable with the paths of the components to embed, one path for each line.
pub(crate) const VARIABLE: &str = "HYPE_EMBED";

/// Returns an expression that registers the components in `list`; without a list, it does nothing. `found` is the path
/// of hype unless the options set another.
pub(crate) fn expand(
    found: Result<HypePath, String>,
    options: TokenStream,
    list: Option<&str>,
) -> TokenStream {
    let unknown = "`hype::embed!` takes nothing but `crate = path`: write `hype::embed!()`";
    let path = Options::crate_alone(options, unknown).and_then(|path| hype_path(path, found));
    let hype = match path {
        Ok(path) => path.at(Span::call_site()),
        Err(error) => return error.into_compile_error(),
    };
    let embed = list.map(|list| {
        let components = list.lines().map(component);
        quote!(#hype::__internal::embed(&[#(#components),*]);)
    });
    // cargo tracks the variable only if the program's own code reads it.
    quote! {{
        const _: ::core::option::Option<&str> = ::core::option_env!(#VARIABLE);
        #embed
    }}
}

/// Returns a tuple of the package, which is the stem of the file name, and the bytes.
fn component(path: &str) -> TokenStream {
    let package = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    quote!((#package, ::core::include_bytes!(#path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(list: Option<&str>) -> String {
        expand(Ok(HypePath::default_name()), TokenStream::new(), list).to_string()
    }

    #[test]
    fn components_are_embedded_with_their_packages() {
        let expected = quote! {{
            const _: ::core::option::Option<&str> = ::core::option_env!("HYPE_EMBED");
            ::hype::__internal::embed(&[
                ("a-b", ::core::include_bytes!("/my target/hype/a-b.wasm")),
                ("c", ::core::include_bytes!("/t/c.wasm"))
            ]);
        }};
        assert_eq!(expanded(Some("/my target/hype/a-b.wasm\n/t/c.wasm")), expected.to_string());
    }

    #[test]
    fn env_dependency_is_tracked_without_components() {
        let expansion = expanded(None);
        assert!(expansion.contains("\"HYPE_EMBED\""), "{expansion}");
        assert!(!expansion.contains("embed ("), "{expansion}");
    }

    #[test]
    fn arguments_are_rejected() {
        let error = expand(Ok(HypePath::default_name()), quote!("hello"), None).to_string();
        assert!(error.contains("compile_error") && error.contains("takes nothing"));
    }
}
