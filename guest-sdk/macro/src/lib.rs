//! The macros of hype: the attributes [`hype::function`](macro@function) and
//! [`hype::main`](macro@main), [`hype::embed!`](embed!) and
//! [`hype::component!`](component!).
//!
//! The macros are pure functions from tokens to tokens. Snapshots of their expansions are in `tests/expansions`, and
//! snapshots of their errors in `tests/ui` of `hype-guest`. The code that expansions call at run time is in
//! `hype-guest` and `hype`.
//!
//! - `function`: expands `#[hype::function]`.
//! - `main_attribute`: expands `#[hype::main]`.
//! - `embed`: expands `hype::embed!`.
//! - `component`: expands `hype::component!`.
//! - `item`: parses an annotated function without parsing its body.
//! - `options`: parses the options of the macros.
//! - `hype_path`: finds the path of hype for generated code.
//! - `signature`, `crossing`: check by its signature that a function can run elsewhere.
//! - `mistakes`: collects errors, to report them together.
//! - `attributes`: distributes a function's attributes over the generated items.
//! - `record`, `type_name`: generate the description of a function.
//! - `spans`: choose the spans of generated code, where the compiler reports errors.

mod component;
mod embed;
mod function;
mod main_attribute;

mod hype_path;
mod item;
mod options;

mod crossing;
mod mistakes;
mod signature;

mod attributes;
mod record;
mod spans;
mod type_name;

#[cfg(test)]
mod expansions;

use proc_macro::TokenStream;

use crate::hype_path::HypePath;

/// Turns a function into one that hype can run elsewhere.
///
/// ```ignore (this crate cannot depend on hype; the same example is tested there)
/// #[hype::function]
/// pub fn example(arg: String) -> String {
///     format!("{arg} world!")
/// }
///
/// assert_eq!(example::call("hello".into()), "hello world!");
/// let closure: hype::Closure<String> = example("hello".into());
/// ```
///
/// - `example("hello".into())` creates a `hype::Closure<String>`: the function with its arguments bound. It does not
///   run the function; submit it to a submitter for that. It exists only in native programs, since a closure cannot
///   submit another.
/// - `example::call("hello".into())` calls the function directly, for unit tests, recursion and calls from other
///   closures. One `use` imports both.
/// - `example::HANDLE` names the function without arguments, as a `hype::FunctionHandle<(String,), String>`: where its
///   argument is the value of another call, as in `run.then(example::HANDLE, &env)`.
///
/// # Arguments and results
///
/// Arguments and results are sent by value, so all types are owned and implement `serde::Serialize` and
/// `serde::Deserialize`. A function has at most twelve parameters, each with a plain name.
///
/// A function whose return type is called `Result`, also through an alias or a path such as `io::Result<T>`, can fail:
/// it creates a `Closure<T>`, and its error is returned as a failure with its message and causes. The error type is any
/// that `?` converts to a `Box<dyn Error + Send + Sync>`. All other return types are plain values.
///
/// # Options
///
/// - `#[hype::function(fallible)]`: treats the return type as a `Result`, although it has another name.
/// - `#[hype::function(value)]`: treats the return type as a plain value, although it is called `Result`.
/// - `#[hype::function(crate = framework::hype)]`: sets the path of hype, for a package that uses hype through a crate
///   that re-exports it. A renamed dependency, `h = { package = "spotify-hype" }`, is found without this option.
///   [`main`](macro@main) and [`embed!`](embed!) have it too.
///
/// # Attributes
///
/// Doc comments, `#[deprecated]` and lint levels apply to both the constructor of the closure and `call`. All other
/// attributes, such as `#[inline]`, apply to `call`.
#[proc_macro_attribute]
pub fn function(options: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(HypePath::of_package(), options.into(), item.into()).into()
}

/// Turns a function into the `main` of a program that submits closures.
///
/// ```ignore (this crate cannot depend on hype; the same example is tested there)
/// #[hype::main]
/// async fn main() -> hype::Result<()> {
///     let greeting = example("hello".into()).await?;
///     println!("{greeting}");
///     Ok(())
/// }
/// ```
///
/// Runs the body, then waits until submitters have cleaned up what they started: on return, on an error, on a panic
/// and on Ctrl-C. An `async` body runs on a new runtime; a plain `fn main()` is for programs that use
/// `hype::blocking`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_attribute::expand(HypePath::of_package(), options.into(), item.into()).into()
}

/// Embeds components into the program when `cargo hype build --embed` builds it, and registers them at run time. Does
/// nothing in any other build.
///
/// [`hype::main`](macro@main) expands to it. A program with another `main` calls it there, before it creates its first
/// closure:
///
/// ```ignore (this crate cannot depend on hype)
/// fn main() {
///     hype::embed!();
///     // Create and submit closures.
/// }
/// ```
#[proc_macro]
pub fn embed(options: TokenStream) -> TokenStream {
    let list = std::env::var(embed::VARIABLE).ok();
    embed::expand(HypePath::of_package(), options.into(), list.as_deref()).into()
}

/// Generates constructors of closures, handles, and types, for the functions of a WIT world.
///
/// ```ignore (this crate cannot depend on hype)
/// hype::component!("wit/text.wit");
///
/// let counts: Vec<stats::Count> = stats::top("a b a".into(), 1).await?;
/// ```
///
/// The path is relative to the directory of the package's Cargo.toml. At it is
///
/// - a file or a directory with WIT text. When a closure runs, the component is found as those of hype's own functions
///   are: the one that `cargo hype build` makes of this package, or of the package that `package = "name"` names. If it
///   differs from the text, an error names the function and the difference, before anything is uploaded.
/// - or a component, a file `.wasm`, which is compiled into the program.
///
/// Each exported interface becomes a module, and its functions become constructors of a `hype::Closure`. The functions
/// of the world itself, and its types, are beside the modules. A function that returns `result<T, E>` makes a
/// `Closure<T>`; `error.failure()?.value::<E>()` returns the error of a run.
///
/// Beside each constructor is a constant with its name in capital letters, such as `stats::TOP_HANDLE` for `stats::top`. It
/// names the function without arguments, as a `hype::FunctionHandle<(String, u32), Vec<stats::Count>>`: where its first
/// argument is the value of another call, as in `run.then(stats::TOP_HANDLE.bind_rest((1,)), &env)`. Constructors have small
/// letters, so that no function of a component has the name of a handle.
///
/// Types of WIT become
///
/// | WIT | Rust |
/// |---|---|
/// | `record` | a structure |
/// | `variant`, `enum` | an enum |
/// | `flags` | a structure with a `bool` for each flag |
/// | `list<u8>` | `hype::Bytes` |
/// | others | as in `docs/wit.md` |
///
/// Functions that hype can't call are left out: async functions, those of resources, and those whose types contain
/// resources, futures, streams, maps, error-contexts or lists of a fixed length. So are functions with more than 12
/// parameters, a tuple of more than 12 elements or more than 10,000 types. The doc comment of the interface's module
/// lists them with the reasons.
///
/// # Options
///
/// - `world = "name"`: the world, if there are several.
/// - `package = "name"`: the package whose component is called.
/// - `crate = framework::hype`: see [`function`](macro@function).
#[proc_macro]
pub fn component(tokens: TokenStream) -> TokenStream {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    component::expand(HypePath::of_package(), tokens.into(), root.as_ref()).into()
}
