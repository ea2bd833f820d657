//! A guest's stack as its author knows it.

use hype_wire::{Frame, Location};
use wasmtime::WasmBacktrace;

/// The frames of the guest that `error` stopped, the innermost first, without the machinery of
/// panics above the author's functions and that of the SDK below them, which begins with the entry
/// by which the function is registered.
pub(crate) fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    trim(backtrace.frames().iter().flat_map(symbols).collect())
}

/// One frame of the machine, or several where functions were inlined.
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

/// `{:#}` leaves out the hash that tells versions of a crate apart.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn trim(mut frames: Vec<Frame>) -> Vec<Frame> {
    if let Some(sdk) = frames.iter().position(is_sdk) {
        frames.truncate(sdk);
    }
    // The entry itself may have been inlined away into what calls it.
    while frames.last().is_some_and(|frame| frame.function.ends_with("FnOnce::call_once")) {
        frames.pop();
    }
    let machinery = frames.iter().rposition(is_panic_machinery);
    frames.split_off(machinery.map_or(0, |last| last + 1))
}

fn is_sdk(frame: &Frame) -> bool {
    frame.function.contains("::__INVENTORY::") || frame.function.contains("hype_guest::")
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
    fn only_the_authors_frames_stay() {
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
    fn an_entry_that_was_inlined_is_no_frame_of_the_author() {
        let stack = ["my_package::inner", "core::ops::function::FnOnce::call_once"];
        assert_eq!(trimmed(&stack), ["my_package::inner"]);
    }

    #[test]
    fn a_stack_of_another_language_stays_whole() {
        assert_eq!(trimmed(&["a", "b"]), ["a", "b"]);
    }
}
