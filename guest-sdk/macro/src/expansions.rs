//! Snapshot tests of expansions.
//!
//! Each `tests/expansions/NAME.rs` contains annotated items, and `NAME.expanded.rs` their expansion.
//! `UPDATE_EXPECT=1 cargo test -p hype-guest-macro` updates the snapshots; review the diff before you commit it.
//! Compiler errors have snapshots in `tests/ui` of `hype-guest`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, File, Item, Meta};

use crate::hype_path::HypePath;
use crate::{function, main_attribute};

#[test]
fn expansions_match_snapshots() {
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
    let snapshot = input.with_extension("expanded.rs");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&snapshot, &expanded).unwrap();
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    if expected == expanded {
        Ok(())
    } else {
        Err(format!("{} would now be:\n{expanded}", snapshot.display()))
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

/// Expands the attribute of an item as rustc does: removes it and passes the rest of the item to it.
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
    let hype = Ok(HypePath::default_name());
    match attribute.path().segments[1].ident.to_string().as_str() {
        "function" => function::expand(hype, options, item.into_token_stream()),
        _ => main_attribute::expand(hype, options, item.into_token_stream()),
    }
}
