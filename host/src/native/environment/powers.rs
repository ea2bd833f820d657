//! What an environment lets a closure do beyond computing.

use hype_wire::{CommandName, HttpGrant, WireError};

use crate::call::component::Component;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::warn_once;

/// What a component imports for something that it can do only where its environment grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerImport<'a> {
    /// The import: `wasi:http/outgoing-handler@0.2.12`.
    pub import: &'a str,
    /// What grants it: `RunEnvironment::allow_http`.
    pub granted_by: &'static str,
    /// What to know before granting it, if there is something.
    pub warning: Option<&'static str>,
}

/// Something that a component can do only where its environment grants it.
struct Power {
    /// What it imports for it.
    import: &'static str,
    /// What grants it.
    call: &'static str,
    warning: Option<&'static str>,
    /// What one without that import doesn't.
    does: &'static str,
    is_granted: fn(&Powers) -> bool,
}

const POWERS: &[Power] = &[
    Power {
        import: "wasi:http/outgoing-handler",
        call: "RunEnvironment::allow_http",
        warning: None,
        does: "sends no HTTP requests",
        is_granted: |powers| !powers.http.is_empty(),
    },
    Power {
        import: "spotify:hype/process",
        call: "RunEnvironment::allow_command",
        warning: Some("a command has all the rights of the process that runs the closure"),
        does: "runs no commands",
        is_granted: |powers| !powers.commands.is_empty(),
    },
];

/// What every runner offers: packages with the beginnings of their versions, and their interfaces.
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

/// What was granted, as it was written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Powers {
    http: Vec<AllowedHosts>,
    commands: Vec<String>,
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
    /// With leave to send HTTP requests to these hosts: `[SCHEME://]HOST[:PORT]`, such as
    /// `"api.example.com"`, `"https://*.example.com"` for all below a domain, or `"http://10.0.0.5:8080"`.
    ///
    /// Without a scheme it is for http and https, without a port for the scheme's own. The addresses of a
    /// host that is named must be ones of the internet, else see
    /// [`allow_http_private`](Self::allow_http_private).
    #[must_use]
    pub fn allow_http(&self, hosts: impl Into<String>) -> Self {
        self.allow_hosts(AllowedHosts { hosts: hosts.into(), is_private: false })
    }

    /// The same for hosts that may have private addresses, too: those of the runner's own machine and
    /// network. Services that tell machines who they are can't be reached by any name.
    #[must_use]
    pub fn allow_http_private(&self, hosts: impl Into<String>) -> Self {
        self.allow_hosts(AllowedHosts { hosts: hosts.into(), is_private: true })
    }

    fn allow_hosts(&self, hosts: AllowedHosts) -> Self {
        self.change_powers(|powers| powers.http.push(hosts))
    }

    /// With leave to run the command called `name`, such as `"curl"`: the program of that name which the
    /// runner finds in its `PATH`, outside of all that closures may write to.
    ///
    /// A command is no part of the sandbox. It has all the rights of the process that runs the closure: its
    /// network, its mounts, the identity by which it reaches a cloud. [`allow_http`](Self::allow_http) doesn't
    /// bind it, and who grants a shell grants every program there is.
    #[must_use]
    pub fn allow_command(&self, name: impl Into<String>) -> Self {
        self.change_powers(|powers| powers.commands.push(name.into()))
    }

    /// The commands that closures may run.
    pub fn commands(&self) -> &[String] {
        &self.powers().commands
    }

    /// The hosts that closures may send HTTP requests to, as they were written.
    pub fn http(&self) -> impl Iterator<Item = &str> {
        self.powers().http.iter().map(|allowed| allowed.hosts.as_str())
    }
}

impl Powers {
    /// Whether a closure needs a network for what it may do.
    pub(crate) fn need_network(&self) -> bool {
        // What a command needs, nobody knows.
        !self.http.is_empty() || !self.commands.is_empty()
    }

    /// As manifests have it.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when something can't be granted.
    pub(crate) fn to_wire(&self) -> Result<hype_wire::Powers> {
        let grants = self
            .http
            .iter()
            .map(|allowed| allowed.grant().map_err(|error| Error::input(error.to_string())));
        let http = grants.collect::<Result<_>>()?;
        let commands = self.commands.iter().map(|name| {
            CommandName::try_from(name.clone()).map_err(|error| {
                Error::input(error.to_string()).hint("the runner looks for it in its PATH")
            })
        });
        Ok(hype_wire::Powers { http, commands: commands.collect::<Result<_>>()? })
    }

    /// Tells what `component` could do and isn't granted, and what it is granted and can't do.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it imports what no runner offers.
    pub(crate) fn compare_with(&self, component: &Component) -> Result<()> {
        let name = component.name();
        if let Some(unknown) = component.imports().iter().find(|import| !is_offered(import)) {
            return Err(Error::input(format!(
                "{name} imports {unknown}, which hype doesn't offer"
            ))
            .hint("it offers WASI 0.2 and what hype's own folder wit/ says"));
        }
        // What is asked for and not granted is told by the failure of the call that is denied, if there is one.
        for power in POWERS {
            let is_asked_for = component.imports().iter().any(|import| power.is_behind(import));
            if (power.is_granted)(self) && !is_asked_for {
                let does = power.does;
                warn_once(format!("{name} {does}, though its environment grants them"));
            }
        }
        Ok(())
    }
}

impl Power {
    fn is_behind(&self, import: &str) -> bool {
        import.split('@').next() == Some(self.import)
    }
}

impl Component {
    /// What of its imports takes a power, each with what grants it.
    pub fn powers(&self) -> impl Iterator<Item = PowerImport<'_>> {
        self.imports().iter().filter_map(|import| {
            let power = POWERS.iter().find(|power| power.is_behind(import))?;
            Some(PowerImport { import, granted_by: power.call, warning: power.warning })
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
    fn imports_are_offered_by_name_and_version() {
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
    fn what_cannot_be_granted_is_named() {
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
    fn commands_are_granted_by_name() {
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
}
