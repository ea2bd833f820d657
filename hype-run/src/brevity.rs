//! What a guest says of its failure, cut to what an outcome can carry.
//!
//! Messages, causes and the names of functions come from the guest, which may say anything at any
//! length.

use hype_wire::{Failure, Frame, Location};

/// How long a message or a cause may be, in bytes.
const TEXT: usize = 16 << 10;

/// How many causes there may be.
const CAUSES: usize = 32;

/// How long the name of a function or a file may be, in bytes.
const NAME: usize = 1 << 10;

/// The same failure, with each of its texts cut.
pub(crate) fn cut(failure: Failure) -> Failure {
    let more = failure.causes.len().saturating_sub(CAUSES);
    let mut causes: Vec<_> = failure.causes.iter().take(CAUSES).map(|cause| text(cause)).collect();
    if more > 0 {
        causes.push(format!("and {more} causes more"));
    }
    Failure {
        kind: failure.kind,
        message: text(&failure.message),
        causes,
        location: failure.location.map(location),
        backtrace: failure.backtrace.into_iter().map(frame).collect(),
    }
}

/// A message's beginning.
pub(crate) fn text(text: &str) -> String {
    beginning(text, TEXT)
}

/// A name's beginning.
pub(crate) fn name(name: &str) -> String {
    beginning(name, NAME)
}

fn location(location: Location) -> Location {
    Location { file: name(&location.file), line: location.line }
}

fn frame(frame: Frame) -> Frame {
    Frame { function: name(&frame.function), location: frame.location.map(location) }
}

fn beginning(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(limit)];
    format!("{kept}… and {} bytes more", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::FailureKind;

    #[test]
    fn what_is_short_stays() {
        let failure = Failure {
            causes: vec!["no flour".into()],
            location: Some(Location { file: "src/lib.rs".into(), line: 3 }),
            backtrace: vec![Frame { function: "bake".into(), location: None }],
            ..Failure::new(FailureKind::Function, "no bread")
        };
        assert_eq!(cut(failure.clone()), failure);
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = "é".repeat(1 << 20);
        let failure = Failure {
            causes: vec![long.clone(); 100],
            location: Some(Location { file: long.clone(), line: 3 }),
            backtrace: vec![Frame { function: long.clone(), location: None }],
            ..Failure::new(FailureKind::Function, format!("a{long}"))
        };
        let cut = cut(failure);
        assert!(cut.message.starts_with("aéé"), "{}", cut.message);
        assert!(cut.message.ends_with("é… and 2080770 bytes more"), "{}", cut.message);
        assert_eq!(cut.causes.len(), CAUSES + 1);
        assert_eq!(cut.causes[CAUSES], "and 68 causes more");
        assert!(cut.causes[0].len() < TEXT + 100);
        let names = [&cut.location.unwrap().file, &cut.backtrace[0].function];
        assert!(names.iter().all(|name| name.len() < NAME + 100));
    }
}
