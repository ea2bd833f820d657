//! The description of a storage provider. [`PROVIDERS`] lists all providers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;

use crate::error::StageError;
use crate::providers::PROVIDERS;
use crate::store::Bucket;
use crate::store_error::Operation;

/// A storage provider: the URLs of its stages, its feature, its variables, and hints for its users.
///
/// Providers are listed whether or not their feature is enabled, since a submitter may prepare a stage that
/// another program opens.
///
/// ```
/// use hype_stage::Provider;
///
/// let provider = Provider::of("s3://bucket/prefix").unwrap();
/// assert_eq!((provider.feature(), provider.schemes()), ("aws", &["s3"][..]));
/// assert!(provider.secret_variables().contains(&"AWS_SECRET_ACCESS_KEY"));
///
/// let variables = |name: &str| (name == "AWS_REGION").then(|| "eu-west-1".to_owned());
/// assert_eq!(provider.settings(variables)["AWS_REGION"], "eu-west-1");
/// assert_eq!(Provider::of("file:///var/stage"), None);
/// assert_eq!(Provider::all().count(), 3);
/// ```
pub struct Provider {
    /// The cargo feature that enables the provider, in each crate of hype.
    pub(crate) feature: &'static str,
    /// The URL schemes, the usual one first.
    pub(crate) schemes: &'static [&'static str],
    /// The form of the URLs, for messages.
    pub(crate) form: &'static str,
    /// The domains in URLs of the form `abfss://CONTAINER@ACCOUNT.DOMAIN`.
    pub(crate) account_domains: &'static [&'static str],
    pub(crate) variables: Variables,
    pub(crate) hints: Hints,
    /// Opens a bucket; `None` if the feature is not enabled.
    pub(crate) open: Option<Open>,
}

pub(crate) type Open = fn(&Bucket<'_>) -> Result<Arc<dyn ObjectStore>, StageError>;

/// The environment variables of a provider's tools.
pub(crate) struct Variables {
    /// Variables with endpoints of the service.
    pub(crate) endpoints: &'static [&'static str],
    /// The variables of an emulator with a conventional endpoint.
    pub(crate) emulator: Option<Emulator>,
    /// Other variables that another process needs to use the endpoint. None of them is secret.
    pub(crate) settings: &'static [&'static str],
    /// Variables with secrets, or with servers that hand out secrets.
    pub(crate) secrets: &'static [&'static str],
    /// Variables with paths of files that contain secrets.
    pub(crate) secret_files: &'static [&'static str],
    /// The variable of `secret_files` whose file suffices to use the store.
    pub(crate) key_file: Option<&'static str>,
}

/// An emulator of a provider's service, at a conventional endpoint.
pub(crate) struct Emulator {
    /// The variable that enables it.
    pub(crate) switch: &'static str,
    /// The variable that names its endpoint.
    pub(crate) variable: &'static str,
    /// The endpoint if `variable` is not set.
    pub(crate) endpoint: &'static str,
}

/// Hints for the user of a provider whose request was denied.
pub(crate) struct Hints {
    /// The command that creates a bucket.
    pub(crate) creation: &'static str,
    /// The hint for missing or invalid credentials.
    pub(crate) login: &'static str,
    /// The hint for a bucket in another region.
    pub(crate) region: Option<&'static str>,
    /// The permissions that an operation needs.
    pub(crate) permission: fn(Operation) -> &'static str,
    /// The means to grant the permissions.
    pub(crate) grant: &'static str,
}

impl Provider {
    /// Returns all providers, including those whose feature is not enabled.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        PROVIDERS.iter()
    }

    /// Returns the provider of the stage at `url`, or `None` for a directory, memory or an invalid URL.
    pub fn of(url: &str) -> Option<&'static Self> {
        Self::of_scheme(url.split_once("://")?.0)
    }

    pub(crate) fn of_scheme(scheme: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.schemes.contains(&scheme))
    }

    /// Returns the cargo feature that enables the provider in `hype`, `hype-run` and `cargo-hype`.
    pub fn feature(&self) -> &'static str {
        self.feature
    }

    /// Returns the URL schemes, the usual one first.
    pub fn schemes(&self) -> &'static [&'static str] {
        self.schemes
    }

    /// Returns the variables that set endpoints of the service, with their values by `variable`.
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

    /// Returns the other variables that a process needs to use the service, with their values by `variable`.
    /// None of them is secret.
    pub fn settings(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<&'static str, String> {
        set(self.variables.settings, &variable)
    }

    /// Returns the variables with secrets, or with servers that hand out secrets.
    pub fn secret_variables(&self) -> &'static [&'static str] {
        self.variables.secrets
    }

    /// Returns the variables with paths of files that contain secrets.
    pub fn secret_file_variables(&self) -> &'static [&'static str] {
        self.variables.secret_files
    }

    /// Returns the variable with the path of a credentials file that alone suffices to use the store.
    pub fn key_file_variable(&self) -> Option<&'static str> {
        self.variables.key_file
    }
}

/// Returns the variables of `names` that are set and not empty.
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
    fn providers_share_no_scheme_or_feature() {
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
    fn settings_and_endpoints_are_not_secret() {
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
    fn emulator_endpoint_has_a_default() {
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
