use std::path::{Component, Path};

use hype_wire::{Digest, GuestPath, TerminationLine, is_below, names};

/// Decodes bytes as a termination line, a manifest's URL, a digest and a guest's path.
pub(crate) fn names(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let is_valid = [termination_line(text), manifest_url(text), digest(text), guest_path(text)];
    is_valid.contains(&true)
}

fn termination_line(text: &str) -> bool {
    match text.parse::<TerminationLine>() {
        Ok(line) => {
            let again = line.to_string().parse::<TerminationLine>();
            assert_eq!(again.ok(), Some(line));
            true
        }
        Err(error) => {
            assert!(error.to_string().len() <= 1024, "{} bytes", error.to_string().len());
            false
        }
    }
}

fn manifest_url(text: &str) -> bool {
    let Some((stage, run_id)) = names::split_manifest(text) else { return false };
    assert_eq!(format!("{stage}/{}", names::manifest(&run_id)), text);
    assert!(names::is_run_id(&run_id), "{run_id}");
    true
}

fn digest(text: &str) -> bool {
    let Ok(digest) = text.parse::<Digest>() else { return false };
    assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    true
}

/// Checks that a valid guest path is below the root and outside the system's directories.
fn guest_path(text: &str) -> bool {
    let Ok(path) = text.parse::<GuestPath>() else { return false };
    assert_eq!(path.as_str(), text);
    let mut parts = Path::new(text).components();
    assert_eq!(parts.next(), Some(Component::RootDir), "{text}");
    let names: Vec<_> = parts
        .map(|part| match part {
            Component::Normal(name) => name,
            other => panic!("{text} has {other:?} in it"),
        })
        .collect();
    assert_eq!(format!("/{}", names.join(std::ffi::OsStr::new("/")).to_string_lossy()), text);
    for reserved in ["/proc", "/sys", "/dev"] {
        assert!(!is_below(text, reserved), "{text}");
    }
    true
}
