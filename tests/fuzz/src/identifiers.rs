use hype_wire::{CommandName, Digest, HttpGrant, ObjectName, RunId, VariableName, names};

/// Decodes bytes as the identifiers of manifests, leases and stages: a run's id, an object's name, a variable, a
/// command and an HTTP grant. Each valid one is safe where hype puts it: in a path, a URL, a label or an environment.
pub(crate) fn identifiers(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let is_valid = [run_id(text), object(text), variable(text), command(text), grant(text)];
    is_valid.contains(&true)
}

fn run_id(text: &str) -> bool {
    let Ok(id) = text.parse::<RunId>() else { return false };
    assert_eq!(id.as_str(), text);
    assert!((1..=63).contains(&text.len()), "{text}");
    assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
    true
}

/// Checks that a valid name has no component that leads out of the stage.
fn object(text: &str) -> bool {
    let Some(object) = ObjectName::parse(text) else { return false };
    for part in text.split('/').filter(|part| *part != names::CLOCK) {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(!part.is_empty() && part.bytes().all(is_plain), "{text}");
    }
    match object {
        ObjectName::Clock => assert_eq!(text, names::CLOCK),
        ObjectName::Blob(digest) => assert_eq!(text, names::blob(&digest)),
        ObjectName::Live(run_id) => assert_eq!(text, names::live(run_id)),
        ObjectName::OfRun(run_id) => {
            assert!(text.starts_with(&format!("{}/", names::run(run_id))), "{text}");
        }
        ObjectName::OfMap(map_id) => {
            assert!(text.starts_with(&format!("{}/", names::map(map_id))), "{text}");
        }
    }
    true
}

fn variable(text: &str) -> bool {
    let Ok(name) = VariableName::try_from(text.to_owned()) else { return false };
    assert_eq!(name.as_str(), text);
    assert!(!text.is_empty() && !text.contains(['=', '\0']) && text != "PATH", "{text}");
    true
}

fn command(text: &str) -> bool {
    let Ok(name) = CommandName::try_from(text.to_owned()) else { return false };
    assert_eq!(name.as_str(), text);
    let joined = std::path::Path::new("/bin").join(text);
    assert_eq!(joined.parent(), Some(std::path::Path::new("/bin")), "{text}");
    true
}

fn grant(text: &str) -> bool {
    let Ok(grant) = text.parse::<HttpGrant>() else { return false };
    let written = grant.to_string();
    assert_eq!(written.parse::<HttpGrant>().ok(), Some(grant), "{text}");
    assert!(!written.chars().any(char::is_whitespace), "{text}");
    true
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let run = "hype-run-7f3k";
    let texts = [
        run.to_owned(),
        names::blob(&Digest::of(b"blob")),
        names::manifest(run),
        names::log(run, 12),
        names::live(run),
        names::CLOCK.to_owned(),
        "GIT_SSH_COMMAND".to_owned(),
        "g++".to_owned(),
        "https://*.example.com:8443".to_owned(),
        "192.0.2.1".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}
