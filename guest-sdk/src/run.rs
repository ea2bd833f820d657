//! The export `spotify:hype/closure` of a component: finds the called function, decodes its arguments and encodes its
//! value.

use std::io::Write;
use std::sync::Once;

use hype_wire::section::qualified_name;
use hype_wire::{Failure, FailureKind, FunctionRecord, codec};

use crate::arguments::Arguments;
use crate::bounds::{Fallible, FunctionError, Value};

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "closures" });
}

use bindings::exports::spotify::hype::closure;
use bindings::spotify::hype::report;

/// A function of this component, registered by the macro.
pub struct Entry {
    /// The description of the function.
    pub record: &'static FunctionRecord<'static>,
    /// Decodes the arguments, calls the function, and encodes its value.
    pub call: fn(Arguments) -> Result<Vec<u8>, Failure>,
}

inventory::collect!(Entry);

struct Closures;

bindings::export!(Closures with_types_in bindings);

impl closure::Guest for Closures {
    fn call(function: String, arguments: Vec<u8>) -> Result<Vec<u8>, closure::Failure> {
        report_panics();
        #[cfg(feature = "log")]
        install_logger();
        let result = find(&function)
            .and_then(|entry| (entry.call)(Arguments::new(arguments, entry.record)?))
            .map_err(to_wit);
        flush();
        result
    }
}

/// Flushes standard output, since no code of the component runs after the call.
fn flush() {
    // A closed output is not a failure of the function.
    let _ = std::io::stdout().flush();
}

fn find(function: &str) -> Result<&'static Entry, Failure> {
    let named = |entry: &&Entry| {
        entry.record.name == function
            || qualified_name(entry.record.package, entry.record.name) == function
    };
    let mut found = inventory::iter::<Entry>.into_iter().filter(named);
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (Some(first), Some(second)) => Err(Failure::new(
            FailureKind::Incompatible,
            format!(
                "there is a function `{function}` in the packages {} and {}: \
                 write PACKAGE::{function}",
                first.record.package, second.record.package
            ),
        )),
        (None, _) => {
            let names: Vec<_> =
                inventory::iter::<Entry>.into_iter().map(|e| e.record.name).collect();
            Err(Failure::new(
                FailureKind::Incompatible,
                format!("the component has no function `{function}`; it has: {}", names.join(", ")),
            ))
        }
    }
}

fn to_wit(failure: Failure) -> closure::Failure {
    closure::Failure {
        kind: match failure.kind {
            FailureKind::Incompatible => closure::FailureKind::Incompatible,
            _ => closure::FailureKind::Function,
        },
        message: failure.message,
        causes: failure.causes,
    }
}

/// Installs a hook that reports panics to the host. The trap that follows carries no message.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            flush();
            let message = panic.payload_as_str().unwrap_or("a value that is no text");
            let (file, line) = panic.location().map_or(("", 0), |at| (at.file(), at.line()));
            report::panicked(message, file, line);
        }));
    });
}

/// Installs the logger once in each instance, before the user's code runs.
#[cfg(feature = "log")]
fn install_logger() {
    static ONCE: Once = Once::new();
    ONCE.call_once(crate::logger::install);
}

/// Encodes the value of a function that cannot fail.
///
/// # Errors
///
/// A failure of kind `function`, if the value cannot be encoded or the encoding cannot be decoded.
pub fn value<T: Value>(value: T) -> Result<Vec<u8>, Failure> {
    codec::into_vec(value).map_err(|error| {
        let message = format!("its value cannot be sent back: {error}");
        Failure::new(FailureKind::Function, message)
    })
}

/// Encodes the value of a function that can fail.
///
/// # Errors
///
/// A failure of kind `function`, with the message and the causes of the function's error, or if the value cannot be
/// encoded.
pub fn fallible<R>(result: R) -> Result<Vec<u8>, Failure>
where
    R: Fallible,
    R::Value: Value,
    R::Error: FunctionError,
{
    match result.into_result() {
        Ok(ok) => value(ok),
        Err(error) => {
            let error: Box<dyn std::error::Error + Send + Sync> = error.into();
            Err(Failure::from_error(FailureKind::Function, &*error))
        }
    }
}
