use std::path::{Component, Path};

use hype_wire::{Digest, TerminationLine, check_guest_path, is_below, names};

/// Bytes as a line, a URL, a digest and a guest's path.
pub(crate) fn names(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let readings = [termination_line(text), manifest_url(text), digest(text), guest_path(text)];
    readings.contains(&true)
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
    assert_eq!(format!("{stage}/{}", names::manifest(run_id)), text);
    assert!(!run_id.is_empty() && !run_id.contains('/'), "{run_id}");
    true
}

fn digest(text: &str) -> bool {
    let Ok(digest) = text.parse::<Digest>() else { return false };
    assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    true
}

/// One that passes names a place below the guest's root, and never one of the system's.
fn guest_path(text: &str) -> bool {
    if check_guest_path(text).is_err() {
        return false;
    }
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
