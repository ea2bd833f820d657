//! Expansions, pinned as files.
//!
//! Each `tests/expansions/NAME.rs` holds annotated items, and `NAME.expanded.rs` what becomes of
//! them. `UPDATE_EXPECT=1 cargo test -p hype-guest-macro` writes the latter anew; read the
//! difference before you commit it. What rustc says of mistakes is pinned in `tests/ui` of
//! `hype-guest`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, File, Item, Meta};

use crate::hype_path::HypePath;
use crate::{function, main_attribute};

#[test]
fn expansions_are_as_pinned() {
    let inputs = inputs();
    assert!(!inputs.is_empty(), "no inputs");
    let differing: Vec<_> = inputs.iter().filter_map(|input| check(input).err()).collect();
    assert!(differing.is_empty(), "UPDATE_EXPECT=1 accepts these:\n{}", differing.join("\n"));
}

fn inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions");
    let files = fs::read_dir(folder).unwrap();
    let mut inputs: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| !path.to_str().unwrap().ends_with(".expanded.rs"))
        .collect();
    inputs.sort();
    inputs
}

fn check(input: &Path) -> Result<(), String> {
    let expanded = expand(&fs::read_to_string(input).unwrap());
    let pin = input.with_extension("expanded.rs");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&pin, &expanded).unwrap();
    }
    let pinned = fs::read_to_string(&pin).unwrap_or_default();
    if pinned == expanded {
        Ok(())
    } else {
        Err(format!("{} would now be:\n{expanded}", pin.display()))
    }
}

fn expand(input: &str) -> String {
    let mut output = TokenStream::new();
    for item in syn::parse_file(input).unwrap().items {
        output.extend(expand_item(item));
    }
    let file: File = syn::parse2(output).unwrap();
    prettyplease::unparse(&file)
}

/// As rustc does it: the attribute is taken off and expanded with what is left.
fn expand_item(item: Item) -> TokenStream {
    let Item::Fn(mut item) = item else {
        return item.into_token_stream();
    };
    let is_ours = |attribute: &Attribute| attribute.path().segments[0].ident == "hype";
    let Some(index) = item.attrs.iter().position(is_ours) else {
        return item.into_token_stream();
    };
    let attribute = item.attrs.remove(index);
    let options = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => quote!(),
    };
    let usual = Ok(HypePath::usual());
    match attribute.path().segments[1].ident.to_string().as_str() {
        "function" => function::expand(usual, options, item.into_token_stream()),
        _ => main_attribute::expand(usual, options, item.into_token_stream()),
    }
}
