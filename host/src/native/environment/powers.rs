//! Powers: access beyond the sandbox, which an environment grants and a component imports.

use std::collections::BTreeMap;

use hype_wire::{CommandName, CommandRights, HttpGrant, VariableName, WireError};

use crate::call::component::Component;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::warn_once;

/// An import of a component that takes effect only if the environment grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerImport<'a> {
    /// The name of the import: `wasi:http/outgoing-handler@0.2.12`.
    pub import: &'a str,
    /// The method that grants it: `RunEnvironment::allow_http`.
    pub granted_by: &'static str,
    /// A warning to consider before granting it, if there is any.
    pub warning: Option<&'static str>,
}

/// A kind of access beyond the sandbox.
struct Power {
    /// The import that a component needs for it, without its version.
    import: &'static str,
    /// The method that grants it.
    granted_by: &'static str,
    warning: Option<&'static str>,
    /// The predicate of a warning about a component without the import: "x.wasm sends no HTTP requests".
    unused: &'static str,
    is_granted: fn(&Powers) -> bool,
}

const POWERS: &[Power] = &[
    Power {
        import: "wasi:http/outgoing-handler",
        granted_by: "RunEnvironment::allow_http",
        warning: None,
        unused: "sends no HTTP requests",
        is_granted: |powers| !powers.http.is_empty(),
    },
    Power {
        import: "spotify:hype/process",
        granted_by: "RunEnvironment::allow_command",
        warning: Some("a command is native code outside of the closure's sandbox"),
        unused: "runs no commands",
        is_granted: |powers| !powers.commands.is_empty(),
    },
];

/// The interfaces that every runner offers: packages, the prefixes of their versions, and their interfaces.
const OFFERED: &[(&str, &str, &[&str])] = &[
    ("spotify:hype", "0.1.", &["process", "report"]),
    (
        "wasi:cli",
        "0.2.",
        &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
    ),
    ("wasi:clocks", "0.2.", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", "0.2.", &["preopens", "types"]),
    ("wasi:http", "0.2.", &["outgoing-handler", "types"]),
    ("wasi:io", "0.2.", &["error", "poll", "streams"]),
    ("wasi:random", "0.2.", &["insecure", "insecure-seed", "random"]),
    (
        "wasi:sockets",
        "0.2.",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// The grants of an environment, as the user wrote them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Powers {
    http: Vec<AllowedHosts>,
    commands: Vec<CommandGrant>,
}

/// A command that closures may run, for [`RunEnvironment::allow_command`], and its rights beyond computing. A name alone
/// is a grant without any: `"uname"`.
///
/// ```
/// use hype::{CommandGrant, RunEnvironment};
///
/// let curl = CommandGrant::new("curl").with_network().with_variable("CURL_CA_BUNDLE");
/// let env = RunEnvironment::new().allow_command("uname").allow_command(curl);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandGrant {
    name: String,
    has_network: bool,
    variables: Vec<String>,
}

impl CommandGrant {
    /// Returns a grant of the command called `name`, without further rights.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), has_network: false, variables: Vec::new() }
    }

    /// Lets the command use the network of the machine that it runs on: TCP and UDP to all that this reaches, services
    /// that tell machines who they are included. [`allow_http`](RunEnvironment::allow_http) doesn't bind it.
    #[must_use]
    pub fn with_network(self) -> Self {
        Self { has_network: true, ..self }
    }

    /// Lets closures set the environment variable `name` for the command, besides those of the environment. Many programs
    /// run other programs by the word of a variable, such as git by that of `GIT_SSH_COMMAND`. Variables that lead any
    /// program to others can't be granted: `PATH`, `LD_…`, `IFS`, `BASH_ENV`, exported functions.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>) -> Self {
        self.variables.push(name.into());
        self
    }

    /// Returns the command's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the command has a network.
    pub fn has_network(&self) -> bool {
        self.has_network
    }

    fn to_wire(&self) -> std::result::Result<(CommandName, CommandRights), WireError> {
        let variables = self.variables.iter().cloned().map(VariableName::try_from);
        let rights = CommandRights {
            network: self.has_network,
            variables: variables.collect::<std::result::Result<_, WireError>>()?,
        };
        Ok((CommandName::try_from(self.name.clone())?, rights))
    }
}

impl<T: Into<String>> From<T> for CommandGrant {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

#[derive(Debug, Clone, PartialEq)]
struct AllowedHosts {
    hosts: String,
    is_private: bool,
}

impl AllowedHosts {
    fn grant(&self) -> std::result::Result<HttpGrant, WireError> {
        let grant: HttpGrant = self.hosts.parse()?;
        Ok(if self.is_private { grant.to_private() } else { grant })
    }
}

impl RunEnvironment {
    /// Grants HTTP requests to these hosts: `[SCHEME://]HOST[:PORT]`, such as `"api.example.com"`,
    /// `"https://*.example.com"` for all subdomains, or `"http://192.0.2.5:8080"`.
    ///
    /// Without a scheme the grant covers http and https, without a port the scheme's default port. A host must have
    /// public IP addresses; [`allow_http_private`](Self::allow_http_private) grants private addresses, too.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().allow_http("https://*.example.com").allow_http("example.org");
    /// assert!(env.http().eq(["https://*.example.com", "example.org"]));
    /// ```
    #[must_use]
    pub fn allow_http(&self, hosts: impl Into<String>) -> Self {
        self.allow_hosts(AllowedHosts { hosts: hosts.into(), is_private: false })
    }

    /// Grants HTTP requests to these hosts, also if they have private IP addresses, such as those of the runner's
    /// machine and network. [`allow_http`](Self::allow_http) describes the notation. Metadata services, which hand out
    /// a machine's credentials, are never reachable.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().allow_http_private("http://10.0.0.5:8080");
    /// assert!(env.http().eq(["http://10.0.0.5:8080"]));
    /// ```
    #[must_use]
    pub fn allow_http_private(&self, hosts: impl Into<String>) -> Self {
        self.allow_hosts(AllowedHosts { hosts: hosts.into(), is_private: true })
    }

    fn allow_hosts(&self, hosts: AllowedHosts) -> Self {
        self.change_powers(|powers| powers.http.push(hosts))
    }

    /// Grants running a command by its name, such as `"curl"`. The runner looks for it in its `PATH`, except in
    /// directories that closures may write to. A [`CommandGrant`] adds further rights, such as a network.
    ///
    /// A command is native code outside of the closure's sandbox: it reads what the process that runs the closure may
    /// read. Granting a shell grants every program, and so does any program that runs others.
    ///
    /// ```
    /// use hype::environment::CommandGrant;
    ///
    /// let curl = CommandGrant::new("curl").with_network();
    /// let env = hype::RunEnvironment::new().allow_command(curl).allow_command("tar");
    /// assert_eq!(env.commands()[1].name(), "tar");
    /// ```
    #[must_use]
    pub fn allow_command(&self, command: impl Into<CommandGrant>) -> Self {
        self.change_powers(|powers| powers.commands.push(command.into()))
    }

    /// Returns the commands that closures may run, with their rights.
    pub fn commands(&self) -> &[CommandGrant] {
        &self.powers().commands
    }

    /// Returns the hosts that closures may send HTTP requests to, as they were granted.
    pub fn http(&self) -> impl Iterator<Item = &str> {
        self.powers().http.iter().map(|allowed| allowed.hosts.as_str())
    }
}

impl Powers {
    /// Returns whether a closure may need a network.
    pub(crate) fn needs_network(&self) -> bool {
        !self.http.is_empty() || self.commands.iter().any(CommandGrant::has_network)
    }

    /// Converts the grants to the form that manifests contain.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a host or a command can't be granted.
    pub(crate) fn to_wire(&self) -> Result<hype_wire::Powers> {
        let grants = self
            .http
            .iter()
            .map(|allowed| allowed.grant().map_err(|error| Error::input(error.to_string())));
        let http = grants.collect::<Result<_>>()?;
        let (mut commands, mut command_rights) = (Vec::new(), BTreeMap::<_, CommandRights>::new());
        for grant in &self.commands {
            let (name, rights) = grant.to_wire().map_err(|error| {
                Error::input(error.to_string()).hint("the runner looks for commands in its PATH")
            })?;
            // Grants of one command add up.
            let all = command_rights.entry(name.clone()).or_default();
            all.network |= rights.network;
            all.variables.extend(rights.variables);
            if !commands.contains(&name) {
                commands.push(name);
            }
        }
        Ok(hype_wire::Powers { http, commands, command_rights })
    }

    /// Compares the grants with the imports of `component`, and warns of grants that it doesn't use.
    ///
    /// Missing grants are not reported: the failure of a denied call names the grant.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the component has an import that no runner offers.
    pub(crate) fn compare_with(&self, component: &Component) -> Result<()> {
        let name = component.name();
        let mut unknown: Vec<_> =
            component.imports().iter().filter(|import| !is_offered(import)).collect();
        if !unknown.is_empty() {
            let types = component.type_imports()?;
            unknown.retain(|import| !types.contains(import));
        }
        if let Some(unknown) = unknown.first() {
            return Err(Error::input(format!(
                "{name} imports {unknown}, which hype doesn't offer"
            ))
            .hint("it offers WASI 0.2 and the interfaces in hype's folder wit/"));
        }
        for power in POWERS {
            let is_imported = component.imports().iter().any(|import| power.matches(import));
            if (power.is_granted)(self) && !is_imported {
                warn_once(format!("{name} {}, though its environment grants them", power.unused));
            }
        }
        Ok(())
    }
}

impl Power {
    fn matches(&self, import: &str) -> bool {
        import.split('@').next() == Some(self.import)
    }
}

impl Component {
    /// Returns the imports that need a grant, each with the method that grants it.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert_eq!(component.powers().count(), 0);
    /// # hype::Result::Ok(())
    /// ```
    pub fn powers(&self) -> impl Iterator<Item = PowerImport<'_>> {
        self.imports().iter().filter_map(|import| {
            let power = POWERS.iter().find(|power| power.matches(import))?;
            Some(PowerImport { import, granted_by: power.granted_by, warning: power.warning })
        })
    }
}

fn is_offered(import: &str) -> bool {
    let Some((name, version)) = import.split_once('@') else { return false };
    let Some((package, interface)) = name.split_once('/') else { return false };
    OFFERED.iter().any(|(offered, versions, interfaces)| {
        *offered == package && version.starts_with(versions) && interfaces.contains(&interface)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_needs_the_offered_name_and_version() {
        for import in
            ["wasi:cli/environment@0.2.6", "wasi:http/types@0.2.0", "spotify:hype/report@0.1.0"]
        {
            assert!(is_offered(import), "{import}");
        }
        for import in [
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:keyvalue/store@0.2.0",
            "spotify:hype/report@0.2.0",
            "wasi:http/incoming-handler@0.2.0",
            "environment",
            "a:b/c@1.0.0",
        ] {
            assert!(!is_offered(import), "{import}");
        }
    }

    #[test]
    fn rejected_http_grant_is_named() {
        for hosts in
            ["http://169.254.169.254", "metadata.google.internal", "a b", "*", "a.example/x"]
        {
            for env in [
                RunEnvironment::new().allow_http(hosts),
                RunEnvironment::new().allow_http_private(hosts),
            ] {
                let error = env.check().unwrap_err().to_string();
                assert!(error.contains(&format!("`{hosts}`")), "{error}");
            }
        }
        let env = RunEnvironment::new()
            .allow_http("https://*.example.com:81")
            .allow_http_private("10.0.0.1");
        assert!(env.check().is_ok());
        assert_eq!(
            format!("{env:?}"),
            r#"RunEnvironment { http: ["https://*.example.com:81", "10.0.0.1"] }"#
        );
        let [public, private] = &env.powers().to_wire().unwrap().http[..] else {
            panic!("two grants")
        };
        let address = "127.0.0.1".parse().unwrap();
        assert!(!public.allows(address) && private.allows(address));
    }

    #[test]
    fn command_grant_requires_a_plain_name() {
        for name in ["", "/bin/sh", ".."] {
            let error = RunEnvironment::new().allow_command(name).check().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Input);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
        let env = RunEnvironment::new().allow_command("uname").allow_command("df");
        assert!(env.check().is_ok());
        assert_eq!(format!("{env:?}"), r#"RunEnvironment { commands: ["uname", "df"] }"#);
        let granted = env.powers().to_wire().unwrap().commands;
        assert_eq!(granted.iter().map(CommandName::as_str).collect::<Vec<_>>(), ["uname", "df"]);
    }

    #[test]
    fn grants_of_one_command_add_up() {
        let env = RunEnvironment::new()
            .allow_command("curl")
            .allow_command(CommandGrant::new("curl").with_network())
            .allow_command(CommandGrant::new("curl").with_variable("LANG"));
        let powers = env.powers().to_wire().unwrap();
        assert_eq!(powers.commands.len(), 1);
        let rights = &powers.command_rights[&powers.commands[0]];
        assert_eq!((rights.network, rights.variables.len()), (true, 1));
        assert!(env.powers().needs_network());
        assert!(!RunEnvironment::new().allow_command("curl").powers().needs_network());
    }

    #[test]
    fn variable_that_leads_to_programs_cannot_be_granted() {
        for name in ["LD_PRELOAD", "PATH", "BASH_FUNC_x%%", "", "A=B"] {
            let grant = CommandGrant::new("curl").with_variable(name);
            let error = RunEnvironment::new().allow_command(grant).check().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Input, "{name}");
        }
    }
}
