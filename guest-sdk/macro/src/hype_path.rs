//! Finds the path of hype for generated code: the option `crate`, else the name of the dependency in the manifest.

use proc_macro_crate::{Error, FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// The name of hype's package.
const PACKAGE: &str = "spotify-hype";

/// The error message if the package doesn't depend on hype.
const DOESNT_DEPEND: &str = "\
this package doesn't depend on spotify-hype: add it, or name the path under which another crate re-exports it";

/// The path of the crate hype in the code that uses a macro.
#[derive(Clone)]
pub(crate) enum HypePath {
    /// The value of the option `crate`.
    Written(Path),
    /// The name of a dependency.
    Dependency(String),
}

impl HypePath {
    /// Finds the name of hype in the manifest of the package being compiled.
    ///
    /// # Errors
    ///
    /// If the package doesn't depend on hype.
    pub(crate) fn of_package() -> Result<Self, String> {
        match crate_name(PACKAGE) {
            Ok(FoundCrate::Name(name)) => Ok(Self::Dependency(name)),
            // Tests and examples of hype itself, and builds without cargo, use the default name.
            Ok(FoundCrate::Itself) => Ok(Self::default_name()),
            Err(Error::CrateNotFound { .. }) => {
                Err(format!("{DOESNT_DEPEND}, e.g. `crate = framework::hype`"))
            }
            Err(_) => Ok(Self::default_name()),
        }
    }

    /// Returns the name of hype if the manifest doesn't rename it.
    pub(crate) fn default_name() -> Self {
        Self::Dependency("hype".to_owned())
    }

    /// Returns the path for code at `span`. A path that the user wrote keeps its own span.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        match self {
            Self::Written(path) => path.to_token_stream(),
            Self::Dependency(name) => {
                let name = Ident::new(name, span);
                quote_spanned!(span=> ::#name)
            }
        }
    }

    /// Returns the option that passes the path to another macro of hype, if it needs one.
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

    /// Uses this package, which doesn't depend on hype.
    #[test]
    fn package_without_hype_is_rejected_with_a_fix() {
        let problem = HypePath::of_package().err().unwrap();
        assert_eq!(
            problem,
            "this package doesn't depend on spotify-hype: add it, or name the path under which another crate \
             re-exports it, e.g. `crate = framework::hype`"
        );
    }

    #[test]
    fn dependency_path_is_absolute_and_written_path_is_kept() {
        let at = |path: HypePath| path.at(Span::call_site()).to_string();
        assert_eq!(at(HypePath::default_name()), ":: hype");
        assert_eq!(at(HypePath::Written(syn::parse_quote!(a::hype))), "a :: hype");
    }
}
