//! The macros of hype: the attributes [`hype::function`](macro@function) and
//! [`hype::main`](macro@main), and [`hype::embed!`](embed!).
//!
//! They are pure functions from tokens to tokens, so that their expansions are pinned as files in
//! `tests/expansions`, and their diagnostics in the `tests/ui` of `hype-guest`. What an expansion
//! does at run time stands in that crate and in `hype`; here is only what the compiler must see.
//!
//! - `function`: a checked function to its closure, its plain body and its registration.
//! - `main_attribute`: a `main` to one that hands itself to the runtime.
//! - `embed`: the components inside a program, where it was asked for any.
//! - `item`: an annotated function, its body left unread.
//! - `options`: what may stand in the parentheses.
//! - `hype_path`: how generated code names hype.
//! - `signature`, `crossing`: whether a function can run elsewhere, judged by its looks.
//! - `mistakes`: all that is wrong, told at once.
//! - `attributes`: which of a function's attributes go where.
//! - `record`, `type_name`: what tools show of a function.
//! - `spans`: where the compiler reports what is wrong with generated code.

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

/// Makes a function one that hype can run elsewhere.
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
/// - `example("hello".into())` makes a `hype::Closure<String>`: the function with its arguments
///   bound. It runs nothing; a submitter does. Only the submitting program has it: a closure cannot
///   submit another.
/// - `example::call("hello".into())` is the function as you wrote it, for unit tests, recursion and
///   calls from one closure to another. One `use` imports both.
///
/// # Arguments and results
///
/// Arguments and results cross by value, so all types are owned, and each implements
/// `serde::Serialize` and `serde::Deserialize`. There are at most twelve parameters, each with a
/// plain name.
///
/// A function whose return type ends in `Result`, also through an alias or a path as in
/// `io::Result<T>`, can fail: it makes a `Closure<T>`, and its error comes back as a failure with
/// message and causes. That error is anything that `?` turns into a
/// `Box<dyn Error + Send + Sync>`. Every other type is a value like any other.
///
/// # Options
///
/// - `#[hype::function(fallible)]`: the return type is std's `Result` under another name.
/// - `#[hype::function(value)]`: the return type is called `Result` and is a value like any other.
/// - `#[hype::function(crate = framework::hype)]`: where hype is, for a package that has it from a crate that
///   re-exports it. A dependency under another name is found without it: `h = { package = "spotify-hype" }`.
///   [`main`](macro@main) and [`embed!`](embed!) know this option too.
///
/// # Attributes
///
/// Doc comments, `#[deprecated]` and lint levels go to both the closure and `call`; all others,
/// such as `#[inline]`, to `call`.
#[proc_macro_attribute]
pub fn function(options: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(HypePath::of_package(), options.into(), item.into()).into()
}

/// Makes a function the `main` of a program that submits closures.
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
/// It runs the body, an `async` one on a runtime of its own, then waits for submitters to remove
/// what they started: on return, on an error, on a panic and on Ctrl-C. A plain `fn main()` works as
/// well, for programs that use `hype::blocking`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_attribute::expand(HypePath::of_package(), options.into(), item.into()).into()
}

/// Takes the components that `cargo hype build --embed` puts into the program; any other build puts
/// none there, and then it does nothing.
///
/// [`hype::main`](macro@main) does it. A program with another `main` does it there, before its first
/// closure:
///
/// ```ignore (this crate cannot depend on hype)
/// fn main() {
///     hype::embed!();
///     ..
/// }
/// ```
#[proc_macro]
pub fn embed(options: TokenStream) -> TokenStream {
    let list = std::env::var(embed::VARIABLE).ok();
    embed::expand(HypePath::of_package(), options.into(), list.as_deref()).into()
}
