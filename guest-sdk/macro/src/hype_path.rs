//! How generated code names hype: as the attribute says, else as the package's manifest does.

use proc_macro_crate::{Error, FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// The package under which others depend on hype.
const PACKAGE: &str = "spotify-hype";

/// What is said where no dependency is hype.
const DOESNT_DEPEND: &str = "\
this package doesn't depend on spotify-hype: add it, or name the path under which another crate re-exports it";

/// The path of the crate hype in the code that uses a macro.
#[derive(Clone)]
pub(crate) enum HypePath {
    /// What the user wrote behind `crate =`.
    Written(Path),
    /// The name of a dependency.
    Dependency(String),
}

impl HypePath {
    /// The name that the manifest of the package being compiled gives to hype; an error where it doesn't
    /// depend on hype.
    pub(crate) fn of_package() -> Result<Self, String> {
        match crate_name(PACKAGE) {
            Ok(FoundCrate::Name(name)) => Ok(Self::Dependency(name)),
            // Tests and examples of hype itself see it under its usual name; so does what is built
            // without cargo.
            Ok(FoundCrate::Itself) => Ok(Self::usual()),
            Err(Error::CrateNotFound { .. }) => {
                Err(format!("{DOESNT_DEPEND}, e.g. `crate = framework::hype`"))
            }
            Err(_) => Ok(Self::usual()),
        }
    }

    /// The name that hype has where nobody renames it.
    pub(crate) fn usual() -> Self {
        Self::Dependency("hype".to_owned())
    }

    /// The path for code at `span`. What the user wrote keeps its own place.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match self {
            Self::Written(path) => path.to_token_stream(),
            Self::Dependency(name) => {
                let name = Ident::new(name, span);
                quote_spanned!(span=> ::#name)
            }
        }
    }

    /// The option by which another macro of hype's gets the same path, where it needs one.
    pub(crate) fn option(&self) -> Option<TokenStream> {
        match self {
            Self::Written(path) => Some(quote!(crate = #path)),
            Self::Dependency(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The package of the macros is one.
    #[test]
    fn a_package_without_hype_is_told_what_to_write() {
        let problem = HypePath::of_package().err().unwrap();
        assert_eq!(
            problem,
            "this package doesn't depend on spotify-hype: add it, or name the path under which another crate \
             re-exports it, e.g. `crate = framework::hype`"
        );
    }

    #[test]
    fn a_dependency_is_named_from_the_root_and_a_path_as_it_is_written() {
        let at = |path: HypePath| path.at(Span::call_site()).to_string();
        assert_eq!(at(HypePath::usual()), ":: hype");
        assert_eq!(at(HypePath::Written(syn::parse_quote!(a::hype))), "a :: hype");
    }
}
