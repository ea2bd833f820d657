//! Tests of errors. Snapshots of the generated code are in `tests/expansions`.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::component::expand;
use crate::hype_path::HypePath;

/// Expands the macro in a directory with these files.
fn expanded(files: &[(&str, &[u8])], tokens: TokenStream) -> String {
    let root =
        std::env::temp_dir().join(format!("hype-component-{:?}", std::thread::current().id()));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    for (name, content) in files {
        std::fs::write(root.join(name), content).unwrap();
    }
    let expanded = expand(Ok(HypePath::default_name()), tokens, &root).to_string();
    std::fs::remove_dir_all(&root).unwrap();
    expanded
}

fn error(wit: &str, tokens: TokenStream) -> String {
    let error = expanded(&[("app.wit", wit.as_bytes())], tokens);
    assert!(error.contains("compile_error"), "{error}");
    error
}

#[test]
fn unusable_wit_is_an_error_with_a_fix() {
    let app = || quote!("app.wit");
    for (wit, tokens, expected) in [
        ("package a:b;", quote!("no.wit"), "there is no no.wit: write a path that is relative to"),
        ("package a:b; world", app(), "app.wit is not valid WIT: "),
        ("package a:b; world", app(), "app.wit:1:19"),
        ("package a:b;", app(), "app.wit has no world"),
        ("package a:b; world w {}", app(), "the world `w` exports no function that hype can call"),
        (
            "package a:b; world w { export f: func(x: future<u8>); }",
            app(),
            "exports no function that hype can call\\n`f`: its type contains a future",
        ),
        ("package a:b; world v {} world w {}", app(), "choose a world of app.wit: "),
        ("package a:b; world w {}", quote!("app.wit", world = "x"), "choose a world of app.wit: "),
        ("package a:b;", quote!(), "optionally with"),
        ("package a:b;", quote!("app.wit", other = "x"), "optionally with"),
        ("package a:b;", quote!("app.wit", world = x), "optionally with"),
        ("package a:b;", quote!("app.wit", world = "x", world = "y"), "`world` is there twice"),
    ] {
        let error = error(wit, tokens);
        assert!(error.contains(expected), "{wit}: {error}");
    }
}

#[test]
fn file_that_is_no_component_is_rejected() {
    for (bytes, problem) in
        [(&b"\0asm\x01\0\0\0"[..], "is a core module, not yet"), (b"text", "is not a component: ")]
    {
        let error = expanded(&[("app.wasm", bytes)], quote!("app.wasm"));
        assert!(error.contains(&format!("app.wasm {problem}")), "{error}");
    }
}

#[test]
fn interfaces_of_one_name_get_modules_with_their_packages() {
    let wit = "package a:b; interface i { f: func(); } \
               world w { export i; export x: interface { f: func(); } export c:d/i; } \
               package c:d { interface i { f: func(); } }";
    let items = expanded(&[("app.wit", wit.as_bytes())], quote!("app.wit"));
    for module in ["pub mod a_b_i {", "pub mod x {", "pub mod c_d_i {"] {
        assert!(items.contains(module), "{items}");
    }
}

#[test]
fn functions_that_cannot_be_called_are_left_out() {
    let wit = "package a:b; interface i { resource r; f: func(); g: func(x: own<r>); \
               h: async func(); } world w { export i; }";
    let items = expanded(&[("app.wit", wit.as_bytes())], quote!("app.wit"));
    let is_there = |name: &str| items.contains(&format!("pub fn {name} ("));
    assert!(is_there("f") && !is_there("g") && !is_there("h"), "{items}");
    for reason in ["- `g`: its type contains a resource", "- `h`: it is async"] {
        assert!(items.contains(reason), "{items}");
    }
}

#[test]
fn function_that_is_too_large_is_left_out_with_the_reason() {
    let list = |count: usize, item: fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(", ")
    };
    let parameters = |count| format!("func({})", list(count, |at| format!("p{at}: u8")));
    let tuple = |count| format!("func(x: tuple<{}>)", list(count, |_| "u8".to_owned()));
    let types = |count| format!("func(x: tuple<{}>)", list(count, |_| "t".to_owned()));
    for (of, reason) in [
        (parameters(12), None),
        (parameters(13), Some("it has more than 12 parameters")),
        (tuple(12), None),
        (tuple(13), Some("its type contains a tuple of more than 12 elements")),
        (types(1), None),
        (types(10), Some("it has more than 10000 types")),
    ] {
        let twelve = |of: &str| [of; 12].join(", ");
        let (v, u, t) = (twelve("u8"), twelve("v"), twelve("u"));
        let wit = format!(
            "package a:b; interface i {{ type v = tuple<{v}>; type u = tuple<{u}>; type t = tuple<{t}>; \
             f: func(); g: {of}; }} world w {{ export i; }}"
        );
        let items = expanded(&[("app.wit", wit.as_bytes())], quote!("app.wit"));
        assert_eq!(items.contains("pub fn g ("), reason.is_none(), "{of}");
        let reason = reason.map_or("pub fn g (".to_owned(), |reason| format!("- `g`: {reason}"));
        assert!(items.contains(&reason), "{of}: {items}");
    }
}

#[test]
fn interface_called_exports_is_left_out_only_if_it_initializes_python() {
    let items = |function: &str| {
        let wit = format!(
            "package a:b; world w {{ export f: func(); export exports: interface {{ {function} }} }}"
        );
        expanded(&[("app.wit", wit.as_bytes())], quote!("app.wit"))
    };
    for function in ["top: func();", "init: func(name: string);"] {
        assert!(items(function).contains("pub mod exports {"), "{function}");
    }
    let init = "record symbols { types: u8 } \
                init: func(app-name: string, symbols: symbols, stub-wasi: bool) -> result<_, string>;";
    assert!(!items(init).contains("pub mod exports {"));
}

/// `UPDATE_EXPECT=1 cargo test -p hype-guest-macro` updates the snapshot.
#[test]
fn expansion_matches_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/component");
    let options = quote!("text.wit", package = "words");
    let expanded = expand(Ok(HypePath::default_name()), options, &root);
    let expanded = prettyplease::unparse(&syn::parse2(expanded).unwrap());
    let expanded = expanded.replace(root.to_str().unwrap(), "ROOT");
    let snapshot = root.join("text.expanded.rs");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&snapshot, &expanded).unwrap();
    }
    let expected = std::fs::read_to_string(&snapshot).unwrap_or_default();
    assert!(expected == expanded, "it would now be:\n{expanded}");
}
