//! The expansion of `hype::embed!`.
//!
//! `cargo hype build --embed` names the components in a variable, and the compiler reads them as it
//! reads sources: cargo compiles the program again when the variable or a component changes, and
//! nothing else.

use std::path::Path;

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::hype_path::HypePath;
use crate::options::{Options, hype_path};

/// The variable that names the components to embed, a path a line.
pub(crate) const VARIABLE: &str = "HYPE_EMBED";

/// What hands the components that `list` names to hype; without a list, nothing. hype is `found` under that
/// path unless the options name another.
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
    // Reading the variable in the program's own code is what tells cargo of it.
    quote! {{
        const _: ::core::option::Option<&str> = ::core::option_env!(#VARIABLE);
        #embed
    }}
}

/// The package, which is the file's name, and the bytes.
fn component(path: &str) -> TokenStream {
    let package = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
    quote!((#package, ::core::include_bytes!(#path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(list: Option<&str>) -> String {
        expand(Ok(HypePath::usual()), TokenStream::new(), list).to_string()
    }

    #[test]
    fn components_are_named_by_their_packages() {
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
    fn without_a_list_cargo_still_hears_of_the_variable() {
        let expansion = expanded(None);
        assert!(expansion.contains("\"HYPE_EMBED\""), "{expansion}");
        assert!(!expansion.contains("embed ("), "{expansion}");
    }

    #[test]
    fn it_takes_nothing() {
        let refused = expand(Ok(HypePath::usual()), quote!("hello"), None).to_string();
        assert!(refused.contains("compile_error") && refused.contains("takes nothing"));
    }
}
