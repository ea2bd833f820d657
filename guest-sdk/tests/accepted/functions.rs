//! Functions in all supported forms and positions compile without warnings.

#![deny(warnings, missing_docs, unreachable_pub, clippy::pedantic)]
#![expect(clippy::must_use_candidate, reason = "most of these return a value")]
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io;

use hype::Closure;
use serde::{Deserialize, Serialize};

/// Greets.
#[hype::function]
pub fn example(mut arg: String, n: u32) -> String {
    arg.push_str(&" world!".repeat(n as usize));
    arg
}

/// Calls itself.
#[hype::function]
pub fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial::call(n - 1) }
}

/// Calls another closure.
#[hype::function]
pub fn twice(arg: String) -> String {
    example::call(arg, 2)
}

/// Has no parameters and no result.
#[hype::function]
pub fn nothing() {}

/// Returns its line number.
#[hype::function]
#[inline]
pub fn place() -> u32 {
    line!() - 1
}

/// Has the maximum number of parameters.
#[hype::function]
#[expect(clippy::too_many_arguments, clippy::many_single_char_names, reason = "all twelve")]
pub fn sum(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: u128,
    f: i8,
    g: i16,
    h: i32,
    i: (i64,),
    j: [u8; 2],
    k: Option<bool>,
    l: HashMap<String, (f64, char)>,
) -> String {
    format!("{a}{b}{c}{d}{e}{f}{g}{h}{i:?}{j:?}{k:?}{l:?}")
}

/// Return types called `Result`.
pub mod results {
    use super::{Closure, Deserialize, Serialize, io};

    type Result<T> = std::result::Result<T, io::Error>;
    type Outcome<T> = std::result::Result<T, String>;

    /// Returns std's alias.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    #[hype::function]
    pub fn by_path(path: String) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    /// Returns an error with causes.
    ///
    /// # Errors
    ///
    /// If the text is not a number.
    #[hype::function]
    pub fn by_another_crate(text: String) -> anyhow::Result<u8> {
        use anyhow::Context;
        text.parse().context("not a number")
    }

    #[hype::function]
    fn by_alias(path: String) -> Result<Vec<u8>> {
        by_path::call(path)
    }

    #[hype::function(fallible)]
    fn by_option(text: String) -> Outcome<String> {
        if text.is_empty() { Err("empty".to_owned()) } else { Ok(text) }
    }

    #[hype::function]
    fn with_a_boxed_error() -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("always".into())
    }

    #[hype::function]
    fn with_a_static_error() -> std::result::Result<(), &'static str> {
        Err("always")
    }

    /// A custom type called `Result`.
    pub mod own {
        use super::{Deserialize, Serialize};

        /// The outcome of a match.
        #[derive(Serialize, Deserialize)]
        pub enum Result {
            /// A player won.
            Won(String),
            /// There is no winner.
            Draw,
        }

        /// Returns a plain value.
        #[hype::function(value)]
        pub fn play(other: Option<String>) -> Result {
            other.map_or(Result::Draw, Result::Won)
        }
    }

    pub(super) fn all() {
        let _: Closure<Vec<u8>> = by_path("a".into());
        let _: Closure<u8> = by_another_crate("1".into());
        let _: Closure<Vec<u8>> = by_alias("a".into());
        let _: Closure<String> = by_option("a".into());
        let _: Closure<()> = with_a_boxed_error();
        let _: Closure<()> = with_a_static_error();
        let _: Closure<own::Result> = own::play(None);
        assert_eq!(by_option::call(String::new()), Err("empty".to_owned()));
    }
}

/// Functions of all visibilities.
pub mod visibility {
    use super::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Private(u8);

    #[hype::function]
    fn of_private_types(private: Private) -> Private {
        Private(private.0 + 1)
    }

    #[hype::function]
    pub(super) fn for_the_parent() -> u8 {
        of_private_types::call(Private(1)).0
    }

    #[hype::function]
    pub(crate) fn for_the_crate() -> u8 {
        let _ = of_private_types(Private(1));
        self::for_the_parent::call()
    }

    mod inner {
        #[hype::function]
        pub(in super::super) fn for_a_path() -> u8 {
            super::for_the_crate::call()
        }
    }
    pub(super) use inner::for_a_path;
}

/// Documentation of all kinds.
pub mod documented {
    #![allow(deprecated, reason = "tests a deprecated function")]

    /** In a block. */
    #[hype::function]
    pub fn by_block() {}

    #[doc = concat!("From a ", "macro.")]
    #[hype::function]
    pub fn by_macro() {}

    #[doc(hidden)]
    #[hype::function]
    pub fn hidden() {}

    /// Old.
    #[deprecated(note = "use `by_block`")]
    #[hype::function]
    pub fn old(again: bool) {
        if again {
            old::call(false);
        }
    }
}

/// Exists only on 16-bit targets.
#[hype::function]
#[cfg(target_pointer_width = "16")]
pub fn elsewhere(arg: &str) {}

/// Exists on all other targets.
#[hype::function]
#[cfg(not(target_pointer_width = "16"))]
#[cfg_attr(not(target_pointer_width = "16"), inline)]
pub fn elsewhere(arg: String) {
    drop(arg);
}

/// Names that the expansion also uses, and names that are keywords.
pub mod names {
    /// A type that shadows the one of the prelude.
    pub type String = Vec<u8>;

    /// Uses names of the expansion.
    #[hype::function]
    pub fn arguments(arguments: String, record: u8, a0: u8, call: u8, example: u8) -> String {
        drop(arguments);
        vec![record, a0, call, example]
    }

    /// Uses raw identifiers.
    #[hype::function]
    pub fn r#match(r#type: u8, _unused: u8) -> u8 {
        r#type
    }

    /// Has a parameter with the name of the function.
    #[hype::function]
    pub fn same(same: u8) -> u8 {
        same
    }

    macro_rules! functions {
        ($($name:ident: $ty:ty = $body:expr;)*) => {$(
            /// Comes from a macro.
            #[hype::function]
                        pub fn $name(arg: $ty) -> Option<$ty> {
                let _ = arg;
                $body
            }
        )*};
    }
    functions! {
        from_a_macro: Vec<u8> = None;
        from_a_macro_too: u8 = Some(1);
    }
}

#[hype::function]
fn called_by_its_name_alone(arg: u8) -> u8 {
    helper(arg)
}

fn helper(arg: u8) -> u8 {
    arg + 1
}

fn main() {
    #[hype::function]
    fn inside(arg: u8) -> u8 {
        #[hype::function]
        fn deeper(arg: u8) -> u8 {
            arg * 2
        }
        deeper::call(arg)
    }

    let greeting: Closure<String> = example("hello".into(), 1);
    drop(greeting);
    let _ = (factorial(3), twice("hello".into()), nothing(), inside(3));
    let _ = sum(1, 2, 3, 4, 5, 6, 7, 8, (9,), [10; 2], None, HashMap::new());
    let _ = (names::arguments(vec![], 1, 2, 3, 4), names::r#match(1, 2), names::same(1));
    let _ = (names::from_a_macro(vec![]), names::from_a_macro_too(1), elsewhere(String::new()));
    let _ = (visibility::for_the_parent(), visibility::for_the_crate(), visibility::for_a_path());
    results::all();
    nothing::call();

    assert_eq!(place::__RECORD.line, place::call());
    assert_eq!(place::__RECORD.file, file!());
    assert_eq!(place::__RECORD.docs, "Returns its line number.");
    assert_eq!(twice::call("hello".into()), "hello world! world!");
    assert_eq!(factorial::call(5), 120);
    assert_eq!(inside::call(3), 6);
    assert_eq!(visibility::for_a_path::call(), 2);
    assert_eq!(names::arguments::call(vec![], 1, 2, 3, 4), [1, 2, 3, 4]);
}
