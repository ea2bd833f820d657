//! Errors as people read them, in all of hype's programs.

use std::error::Error;
use std::fmt::Write;

use crate::causes::cause_messages;
use crate::failure::Frame;

/// The heading of a closure's backtrace in a report.
pub const BACKTRACE: &str = "Backtrace of the closure:";

/// Reports `error` over several lines: its message, its causes, the closure's `backtrace`, and a hint at
/// what to do.
///
/// A cause is left out where a message before it has its words, since many libraries put the message of a
/// cause into their own.
pub fn report(error: &dyn Error, backtrace: &[Frame], hint: Option<&str>) -> String {
    let mut text = error.to_string();
    let mut reported = text.clone();
    let mut causes = cause_messages(error);
    causes.retain(|cause| {
        let is_new = !reported.contains(cause.as_str());
        // Writing to a string cannot fail, here and below.
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
    text
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
    fn report_leaves_out_causes_that_a_message_has() {
        let error = WireError::new("the cake failed: no oven")
            .because(WireError::new("no oven").because("x"));
        assert_eq!(report(&error, &[], None), "the cake failed: no oven\nCaused by:\n   0: x");
    }
}
