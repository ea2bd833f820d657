//! The backtrace of a guest, reduced to the frames of its author.

use hype_wire::{Frame, Location};
use wasmtime::WasmBacktrace;

/// Returns the frames of the guest that `error` stopped, the innermost first. Omits the frames of the
/// panic machinery above the author's functions, and those of the SDK below them.
pub(crate) fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    trim(backtrace.frames().iter().flat_map(symbols).collect())
}

/// Returns the frames of functions with these names and indices, as [`frames`] does. Their locations are unknown.
#[cfg(target_os = "linux")]
pub(crate) fn from_names(functions: Vec<(Option<String>, u32)>) -> Vec<Frame> {
    let frame = |(name, index): (Option<String>, u32)| {
        let function = match name {
            Some(mangled) => demangled(&mangled),
            None => format!("function {index}"),
        };
        Frame { function, location: None }
    };
    trim(functions.into_iter().map(frame).collect())
}

/// Returns one frame, or several if functions were inlined.
fn symbols(frame: &wasmtime::FrameInfo) -> Vec<Frame> {
    let name = |mangled: Option<&str>| match mangled {
        Some(mangled) => demangled(mangled),
        None => format!("function {}", frame.func_index()),
    };
    if frame.symbols().is_empty() {
        return vec![Frame { function: name(frame.func_name()), location: None }];
    }
    let symbols = frame.symbols().iter();
    symbols
        .map(|symbol| Frame {
            function: name(symbol.name().or_else(|| frame.func_name())),
            location: symbol
                .file()
                .zip(symbol.line())
                .map(|(file, line)| Location { file: file.to_owned(), line }),
        })
        .collect()
}

fn demangled(name: &str) -> String {
    // `{:#}` omits the hash of the crate's version.
    format!("{:#}", rustc_demangle::demangle(name))
}

fn trim(mut frames: Vec<Frame>) -> Vec<Frame> {
    if let Some(sdk) = frames.iter().position(is_sdk) {
        frames.truncate(sdk);
    }
    // The functions of the SDK may have been inlined into their callers.
    while frames.len() > 1 && frames.last().is_some_and(is_caller_of_sdk) {
        frames.pop();
    }
    let machinery = frames.iter().rposition(is_panic_machinery);
    frames.split_off(machinery.map_or(0, |last| last + 1))
}

fn is_sdk(frame: &Frame) -> bool {
    frame.function.contains("::__INVENTORY::") || frame.function.contains("hype_guest::")
}

fn is_caller_of_sdk(frame: &Frame) -> bool {
    frame.function.ends_with("FnOnce::call_once")
        || frame.function.starts_with("spotify:hype/closure@")
}

fn is_panic_machinery(frame: &Frame) -> bool {
    let machinery = [
        "abort",
        "__rust",
        "rust_panic",
        "std::panicking::",
        "std::process::abort",
        "core::panicking::",
        "alloc::alloc::handle_alloc_error",
        "core::option::unwrap_failed",
        "core::option::expect_failed",
        "core::result::unwrap_failed",
    ];
    machinery.iter().any(|name| frame.function.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(functions: &[&str]) -> Vec<String> {
        let frame = |function: &&str| Frame { function: (*function).to_owned(), location: None };
        trim(functions.iter().map(frame).collect())
            .into_iter()
            .map(|frame| frame.function)
            .collect()
    }

    #[test]
    fn frames_of_panic_and_sdk_are_removed() {
        let stack = [
            "abort",
            "std::panicking::panic_with_hook",
            "core::panicking::panic_fmt",
            "core::option::unwrap_failed",
            "my_package::inner",
            "core::ops::function::FnOnce::call_once",
            "my_package::example::call",
            "my_package::_::_::__INVENTORY::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "hype_guest::run::call",
            "spotify:hype/closure@0.1.0#call",
        ];
        let kept = [
            "my_package::inner",
            "core::ops::function::FnOnce::call_once",
            "my_package::example::call",
        ];
        assert_eq!(trimmed(&stack), kept);
    }

    #[test]
    fn inlined_sdk_entry_is_removed() {
        let call_once = "core::ops::function::FnOnce::call_once";
        let export = "spotify:hype/closure@0.1.0#call";
        assert_eq!(trimmed(&["my_package::inner", call_once]), ["my_package::inner"]);
        assert_eq!(trimmed(&["my_package::inner", call_once, export]), ["my_package::inner"]);
        assert_eq!(trimmed(&[export]), [export]);
    }

    #[test]
    fn stack_of_another_language_is_kept() {
        assert_eq!(trimmed(&["a", "b"]), ["a", "b"]);
    }
}
