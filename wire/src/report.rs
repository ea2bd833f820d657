//! The text of an error report, in all of hype's programs.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;

use crate::causes::cause_messages;
use crate::failure::Frame;
use crate::printable::printable;

/// The heading of a closure's backtrace in a report.
pub const BACKTRACE: &str = "Backtrace of the closure:";

/// Returns a report of `error` in several lines: the message, the causes, the closure's `backtrace` and
/// the `hint`.
///
/// The report has no characters that a terminal acts on, since messages may come from guests and from the stage.
///
/// A cause is left out if an earlier message contains its text, since many libraries repeat the message of
/// a cause in their own.
///
/// ```
/// let error = "300".parse::<u8>().unwrap_err();
/// assert_eq!(
///     hype_wire::report(&error, &[], Some("use a number below 256")),
///     "number too large to fit in target type\nHint: use a number below 256"
/// );
/// ```
pub fn report(error: &dyn Error, backtrace: &[Frame], hint: Option<&str>) -> String {
    let mut text = error.to_string();
    let mut reported = text.clone();
    let mut causes = cause_messages(error);
    causes.retain(|cause| {
        let is_new = !reported.contains(cause.as_str());
        // Writing to a string never fails, here and below.
        let _ = write!(reported, "\n{cause}");
        is_new
    });
    if !causes.is_empty() {
        text.push_str("\nCaused by:");
    }
    for (index, cause) in causes.iter().enumerate() {
        let _ = write!(text, "\n   {index}: {cause}");
    }
    if !backtrace.is_empty() {
        let _ = write!(text, "\n{BACKTRACE}");
    }
    for (index, frame) in backtrace.iter().enumerate() {
        let _ = write!(text, "\n  {index:2}: {}", frame.function);
        if let Some(location) = &frame.location {
            let _ = write!(text, "\n        at {location}");
        }
    }
    if let Some(hint) = hint {
        let _ = write!(text, "\nHint: {hint}");
    }
    match printable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(printable) => printable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::WireError;
    use crate::failure::Location;

    #[test]
    fn report_has_causes_backtrace_and_hint_in_this_order() {
        let error =
            WireError::new("the cake failed").because(WireError::new("no oven").because("no gas"));
        let location = Some(Location { file: "src/lib.rs".into(), line: 7 });
        let frames = [Frame { function: "bake".into(), location }];
        assert_eq!(
            report(&error, &frames, Some("pay the bill")),
            "the cake failed\nCaused by:\n   0: no oven\n   1: no gas\nBacktrace of the closure:\n   0: bake\n        \
             at src/lib.rs:7\nHint: pay the bill"
        );
    }

    #[test]
    fn report_has_no_terminal_controls() {
        let error = WireError::new("\u{1b}[2Jthe cake").because(WireError::new("\u{9b}31m"));
        let frames = [Frame { function: "\u{202e}ekab".into(), location: None }];
        let report = report(&error, &frames, Some("\u{1b}]0;x\u{7}"));
        assert!(!report.contains(crate::is_unprintable), "{report:?}");
    }

    #[test]
    fn report_omits_causes_that_a_message_contains() {
        let error = WireError::new("the cake failed: no oven")
            .because(WireError::new("no oven").because("x"));
        assert_eq!(report(&error, &[], None), "the cake failed: no oven\nCaused by:\n   0: x");
    }
}
