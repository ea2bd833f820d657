//! All that is wrong with an item, so that one build tells it all.

use std::fmt::Display;

use quote::ToTokens;

/// Mistakes found so far.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Remembers that the tokens of `at` are wrong, and what to write instead.
    pub(crate) fn add(&mut self, at: impl ToTokens, message: impl Display) {
        self.absorb(syn::Error::new_spanned(at, message));
    }

    /// What a step gave, or nothing and its error remembered.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.absorb(error)).ok()
    }

    /// All mistakes as one error, if there is any.
    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    fn absorb(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(earlier) => earlier.combine(error),
            none => *none = Some(error),
        }
    }
}
