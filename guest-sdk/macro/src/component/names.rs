//! Names and comments in Rust.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;
use wit_parser::Docs;

/// Returns the name of a function, field or module: `times-seen` becomes `times_seen`.
pub(super) fn snake(wit: &str) -> Ident {
    ident(&wit.replace(['-', ':', '/', '.'], "_").to_lowercase())
}

/// Returns the name of a type or case: `times-seen` becomes `TimesSeen`.
pub(super) fn pascal(wit: &str) -> Ident {
    let words = wit.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect()
    });
    ident(&words.collect::<Vec<String>>().concat())
}

/// Returns the name of the handle of a function: `times-seen` becomes `TIMES_SEEN_HANDLE`.
pub(super) fn of_handle(wit: &str) -> Ident {
    Ident::new(&format!("{}_HANDLE", capitals(wit)), Span::call_site())
}

/// Returns the name of the static of a function.
pub(super) fn of_function(wit: &str) -> Ident {
    Ident::new(&format!("__HYPE_FUNCTION_{}", capitals(wit)), Span::call_site())
}

fn capitals(wit: &str) -> String {
    wit.replace('-', "_").to_uppercase()
}

/// Returns the name of the static of a component. Each path and world have another one, which has their letters and
/// digits, `__` for each underscore, and `_2e_` for the character 2e.
pub(super) fn of_static(path: &str, world: Option<&str>) -> Ident {
    let mut name = format!("__HYPE_COMPONENT_{}", escaped(path));
    if let Some(world) = world {
        name.push_str("_WORLD_");
        name.push_str(&escaped(world));
    }
    Ident::new(&name, Span::call_site())
}

fn escaped(text: &str) -> String {
    let escape = |letter: char| match letter {
        '_' => "__".to_owned(),
        letter if letter.is_ascii_alphanumeric() => letter.to_string(),
        letter => format!("_{:x}_", u32::from(letter)),
    };
    text.chars().map(escape).collect()
}

/// Returns an identifier; a keyword becomes a raw one, or gets an underscore where it can't be raw.
fn ident(name: &str) -> Ident {
    match name {
        "self" | "super" | "crate" | "Self" => Ident::new(&format!("{name}_"), Span::call_site()),
        _ => syn::parse_str(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site())),
    }
}

/// Returns the comment as an attribute, if there is one. Code in it is not Rust, and so no doctest.
pub(super) fn docs(docs: &Docs) -> Option<TokenStream> {
    let text = docs.contents.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
    Some(quote!(#[cfg_attr(not(doctest), doc = #text)]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_converted_to_those_of_rust() {
        for (wit, in_snake, in_pascal) in [
            ("times-seen", "times_seen", "TimesSeen"),
            ("get-HTTP2", "get_http2", "GetHttp2"),
            ("type", "r#type", "Type"),
            ("self", "self_", "Self_"),
            ("crate", "crate_", "Crate"),
        ] {
            assert_eq!(
                (snake(wit).to_string(), pascal(wit).to_string()),
                (in_snake.into(), in_pascal.into())
            );
        }
    }

    #[test]
    fn no_function_has_the_name_of_a_handle() {
        let functions = ["top", "top-handle", "TOP-HANDLE-HANDLE", "handle", "type"];
        let handles = functions.map(|wit| of_handle(wit).to_string());
        assert_eq!(
            handles,
            [
                "TOP_HANDLE",
                "TOP_HANDLE_HANDLE",
                "TOP_HANDLE_HANDLE_HANDLE",
                "HANDLE_HANDLE",
                "TYPE_HANDLE"
            ]
        );
        let constructors = functions.map(|wit| snake(wit).to_string());
        assert!(constructors.iter().all(|name| !handles.contains(name)), "{constructors:?}");
    }

    #[test]
    fn each_path_and_world_have_another_static() {
        assert_eq!(of_static("my-app.wit", None), "__HYPE_COMPONENT_my_2d_app_2e_wit");
        let names: HashSet<_> = [
            ("app.wit", None),
            ("app.wit", Some("a")),
            ("app.wit", Some("b")),
            ("App.wit", None),
            ("app.wasm", None),
            ("a/app.wit", None),
            ("b/app.wit", None),
            ("a_app.wit", None),
            ("a-app.wit", None),
            ("a__app.wit", None),
            ("app.wit_WORLD_a", None),
        ]
        .map(|(path, world)| of_static(path, world))
        .into();
        assert_eq!(names.len(), 11, "{names:?}");
    }

    #[test]
    fn comment_is_no_doctest() {
        let comment = Docs { contents: Some("    let x =".to_owned()) };
        let attribute = docs(&comment).unwrap().to_string();
        assert!(attribute.starts_with("# [cfg_attr (not (doctest) , doc = "), "{attribute}");
    }
}
