//! Facts about a storage provider. [`PROVIDERS`] has those of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;

use crate::error::StageError;
use crate::providers::PROVIDERS;
use crate::refusal::Request;
use crate::store::Bucket;

/// A storage provider: the URLs of its stages, its feature, its variables, and hints for its users.
///
/// It is known whether or not its feature is enabled, since a submitter may prepare what another
/// program opens.
pub struct Provider {
    /// The feature of each of our crates that opens its stages.
    pub(crate) feature: &'static str,
    /// The schemes of its URLs, the usual one first.
    pub(crate) schemes: &'static [&'static str],
    /// The form of its URLs, for messages.
    pub(crate) form: &'static str,
    /// Domains below which a URL's host is an account, and its user the bucket:
    /// `abfss://CONTAINER@ACCOUNT.DOMAIN`.
    pub(crate) account_domains: &'static [&'static str],
    pub(crate) variables: Variables,
    pub(crate) hints: Hints,
    /// Opens a bucket; none where the feature isn't enabled.
    pub(crate) open: Option<Open>,
}

pub(crate) type Open = fn(&Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError>;

/// The environment variables of a provider's tools.
pub(crate) struct Variables {
    /// Those whose values are endpoints of the service.
    pub(crate) endpoints: &'static [&'static str],
    /// The switch by which users name an emulator whose endpoint is a convention.
    pub(crate) emulator: Option<Emulator>,
    /// Others without which the endpoint is of no use. None of them is secret.
    pub(crate) settings: &'static [&'static str],
    /// Those whose values are secret, or lead to a server that hands out secrets.
    pub(crate) secrets: &'static [&'static str],
    /// Those whose values are paths of files with secrets.
    pub(crate) secret_files: &'static [&'static str],
    /// That of `secret_files` which suffices to use the store.
    pub(crate) key_file: Option<&'static str>,
}

/// An emulator of a provider's service, at a conventional endpoint.
pub(crate) struct Emulator {
    /// The variable that enables it.
    pub(crate) switch: &'static str,
    /// The variable that names its endpoint.
    pub(crate) variable: &'static str,
    /// The endpoint where that variable isn't set.
    pub(crate) endpoint: &'static str,
}

/// Advice on what a user of a provider can do about a refusal.
pub(crate) struct Hints {
    /// The command that creates a bucket.
    pub(crate) creation: &'static str,
    /// How to get credentials.
    pub(crate) login: &'static str,
    /// What to do about a bucket in another region.
    pub(crate) region: Option<&'static str>,
    /// The permissions that a request needs, and where they are granted.
    pub(crate) permission: fn(Request) -> &'static str,
    pub(crate) grant: &'static str,
}

impl Provider {
    /// Returns all providers, those of features that aren't enabled too.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        PROVIDERS.iter()
    }

    /// Returns the provider of the stage at `url`; none for a directory, memory, or what is no URL.
    pub fn of(url: &str) -> Option<&'static Self> {
        Self::of_scheme(url.split_once("://")?.0)
    }

    pub(crate) fn of_scheme(scheme: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.schemes.contains(&scheme))
    }

    /// Returns the feature that opens its stages, of `hype`, `hype-run` and `cargo-hype` alike.
    pub fn feature(&self) -> &'static str {
        self.feature
    }

    /// Returns the schemes of its URLs, the usual one first.
    pub fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// Returns the endpoints of its service that `variable` names, by the names of their variables.
    pub fn endpoints(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<&'static str, String> {
        let mut endpoints = set(self.variables.endpoints, &variable);
        if let Some(emulator) = &self.variables.emulator
            && variable(emulator.switch).is_some_and(|it| it == "true" || it == "1")
        {
            endpoints.entry(emulator.variable).or_insert_with(|| emulator.endpoint.to_owned());
        }
        endpoints
    }

    /// Returns the settings beside endpoints that another process needs to reach its service, as
    /// `variable` gives them. None of them is secret.
    pub fn settings(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<&'static str, String> {
        set(self.variables.settings, &variable)
    }

    /// Returns the variables whose values are secret, or lead to a server that hands out secrets.
    pub fn secret_variables(&self) -> &'static [&'static str] {
        self.variables.secrets
    }

    /// Returns the variables whose values are paths of files with secrets.
    pub fn secret_file_variables(&self) -> &'static [&'static str] {
        self.variables.secret_files
    }

    /// Returns the variable that names a file of credentials, which alone suffices to use the store.
    pub fn key_file_variable(&self) -> Option<&'static str> {
        self.variables.key_file
    }
}

/// Those of `names` that `variable` gives and that aren't empty.
fn set(
    names: &[&'static str],
    variable: impl Fn(&str) -> Option<String>,
) -> BTreeMap<&'static str, String> {
    let value = |name: &&'static str| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some((*name, value))
    };
    names.iter().filter_map(value).collect()
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.feature == other.feature
    }
}

impl Eq for Provider {}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_feature_belong_to_one_provider() {
        let schemes: Vec<_> = Provider::all().flat_map(Provider::schemes).collect();
        let distinct: std::collections::BTreeSet<_> = schemes.iter().collect();
        assert_eq!(distinct.len(), schemes.len());
        for provider in Provider::all() {
            for scheme in provider.schemes {
                assert_eq!(Provider::of(&format!("{scheme}://any/prefix")), Some(provider));
            }
        }
        assert_eq!(Provider::of("file:///var/tmp"), None);
        assert_eq!(Provider::of("gs"), None);
    }

    #[test]
    fn settings_and_endpoints_are_no_secrets() {
        for provider in Provider::all() {
            let Variables { endpoints, settings, secrets, secret_files, key_file, .. } =
                &provider.variables;
            let is_secret = |name: &&&str| secrets.contains(name) || secret_files.contains(name);
            let mut public = endpoints.iter().chain(*settings);
            assert_eq!(public.find(is_secret), None, "{provider:?}");
            assert!(key_file.is_none_or(|name| secret_files.contains(&name)), "{provider:?}");
        }
    }

    #[test]
    fn emulator_has_its_usual_endpoint_unless_another_is_set() {
        let azure = Provider::of("az://container").unwrap();
        let on = ("AZURE_STORAGE_USE_EMULATOR", "true");
        let endpoints = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|it| it.0 == name);
            azure.endpoints(|name| Some(value(name)?.1.to_owned()))
        };
        let name = "AZURITE_BLOB_STORAGE_URL";
        assert_eq!(endpoints(&[on])[name], "http://127.0.0.1:10000");
        assert_eq!(endpoints(&[on, (name, "http://localhost:1")])[name], "http://localhost:1");
        assert!(endpoints(&[(on.0, "false"), (name, "")]).is_empty());
    }
}
