//! The storage credentials that `hype-run` uses in a container.

use std::collections::BTreeMap;

use hype_stage::Provider;

use super::image::Image;
use crate::runner::Process;
use crate::runner::secrets::Secrets;

/// The name of a provider's key file in a secret.
const KEY_FILE: &str = "key.json";

/// Returns the paths of the providers' key files in the container, by the variables that name them.
pub(crate) fn key_files(
    secrets: &Secrets,
    process: &Process,
    image: &Image,
) -> BTreeMap<&'static str, String> {
    let variables = Provider::all().filter_map(Provider::key_file_variable);
    variables.filter_map(|name| Some((name, key_file(name, secrets, process, image)?))).collect()
}

/// Returns the path of the key file for `variable`. The stage's secret comes first, then the variable in the
/// environment. If neither has it, a variable of the image stays in effect, and after that a secret of the guest is
/// used.
fn key_file(variable: &str, secrets: &Secrets, process: &Process, image: &Image) -> Option<String> {
    let in_secret = |name: &str, path: &str| {
        let directory = secrets.directory(name, path).ok()?;
        directory.join(KEY_FILE).is_file().then(|| format!("{path}/{KEY_FILE}"))
    };
    let of_stage = process.stage_secret.as_ref();
    let of_stage = of_stage.and_then(|secret| in_secret(&secret.name, &secret.path));
    let of_environment = || process.env.env().get(variable).cloned();
    let of_guest = || process.env.secrets().iter().find_map(|(path, name)| in_secret(name, path));
    match of_stage.or_else(of_environment) {
        None if image.variables.contains(variable) => None,
        found => found.or_else(of_guest),
    }
}
