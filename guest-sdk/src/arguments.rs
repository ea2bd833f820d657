//! The arguments of a call: one MessagePack array, written natively and read in the guest. Fuzz tests also read it
//! natively.

use std::ops::RangeInclusive;

use hype_wire::{Failure, FailureKind, FunctionRecord, codec};

use crate::bounds::Argument;

/// A writer of the arguments of a call.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
pub struct BoundArguments {
    bytes: Result<Vec<u8>, hype_wire::WireError>,
    bound: usize,
}

#[cfg(not(target_family = "wasm"))]
impl BoundArguments {
    /// Creates a writer for `count` arguments.
    pub fn new(count: u32) -> Self {
        Self { bytes: Ok(codec::array_head(count)), bound: 0 }
    }

    /// Appends an argument.
    #[must_use]
    pub fn with<T: Argument>(mut self, argument: T) -> Self {
        self.bound += 1;
        if let Ok(bytes) = &mut self.bytes
            && let Err(error) = codec::append_owned(bytes, argument)
        {
            self.bytes = Err(error.of_argument(self.bound));
        }
        self
    }

    /// Returns the MessagePack array.
    ///
    /// # Errors
    ///
    /// If an argument cannot be encoded.
    pub fn finish(self) -> Result<Vec<u8>, hype_wire::WireError> {
        self.bytes
    }
}

/// A reader of the arguments of a call.
#[derive(Debug)]
pub struct Arguments {
    values: codec::Values,
    function: &'static FunctionRecord<'static>,
    taken: usize,
}

impl Arguments {
    /// Creates a reader of the array in `bytes`.
    ///
    /// # Errors
    ///
    /// A failure of kind `incompatible`, if `bytes` is no array or its length isn't the number of parameters of
    /// `function`.
    pub fn new(
        bytes: Vec<u8>,
        function: &'static FunctionRecord<'static>,
    ) -> Result<Self, Failure> {
        let wanted = function.parameters.len();
        let (given, values) = codec::Values::of_array(bytes).map_err(|error| {
            incompatible(format!("the arguments of `{}`: {error}", function.name))
        })?;
        if given as usize != wanted {
            return Err(incompatible(format!(
                "`{}` takes {wanted} arguments, and {given} were given",
                function.name
            )));
        }
        Ok(Self { values, function, taken: 0 })
    }

    /// Reads the next argument.
    ///
    /// # Errors
    ///
    /// A failure of kind `incompatible` that names the parameter and the mismatch.
    pub fn take<T: Argument>(&mut self) -> Result<T, Failure> {
        let parameter = &self.function.parameters[self.taken];
        self.taken += 1;
        self.values.read_owned().map_err(|error| {
            incompatible(format!(
                "parameter `{}: {}` of `{}`: {}",
                parameter.name,
                parameter.type_name,
                self.function.name,
                explain_width(error.to_string())
            ))
        })
    }

    /// Checks that nothing follows the last argument.
    ///
    /// # Errors
    ///
    /// A failure of kind `incompatible`, if there are more bytes.
    pub fn finish(self) -> Result<(), Failure> {
        self.values.finish().map_err(|error| {
            incompatible(format!("the arguments of `{}`: {error}", self.function.name))
        })
    }
}

/// Adds an explanation to `problem` if a number fits 64-bit `usize` or `isize` and exceeds the 32 bits of a guest.
fn explain_width(problem: String) -> String {
    let too_wide = problem.rsplit_once(", found the number ").and_then(|(expected, number)| {
        let number: i128 = number.parse().ok()?;
        let is_too_wide = |size: &str, narrow: RangeInclusive<i128>, wide: RangeInclusive<i128>| {
            expected.ends_with(size) && wide.contains(&number) && !narrow.contains(&number)
        };
        if is_too_wide("usize", 0..=u32::MAX.into(), 0..=u64::MAX.into()) {
            return Some(("usize", "u64"));
        }
        let (narrow, wide) = (i32::MIN.into()..=i32::MAX.into(), i64::MIN.into()..=i64::MAX.into());
        is_too_wide("isize", narrow, wide).then_some(("isize", "i64"))
    });
    match too_wide {
        Some((size, instead)) => {
            format!("{problem}: in a closure `{size}` has 32 bits; take `{instead}` instead")
        }
        None => problem,
    }
}

fn incompatible(message: String) -> Failure {
    Failure::new(FailureKind::Incompatible, message)
}

#[cfg(test)]
mod tests {
    use super::explain_width;

    #[test]
    fn too_wide_number_is_explained() {
        for (size, number, instead) in [
            ("usize", "4294967296", "u64"),
            ("a nonzero usize", "18446744073709551615", "u64"),
            ("isize", "-2147483649", "i64"),
        ] {
            let problem = format!("at [1]: expected {size}, found the number {number}");
            let explained = explain_width(problem.clone());
            assert!(
                explained.starts_with(&problem) && explained.contains("32 bits"),
                "{explained}"
            );
            assert!(explained.ends_with(&format!("take `{instead}` instead")), "{explained}");
        }
    }

    #[test]
    fn messages_of_other_decode_errors_are_unchanged() {
        for problem in [
            "expected u8, found the number 300",
            "expected usize, found the number -2",
            "expected usize, found the number 18446744073709551616",
            "expected usize, found the string \"a\"",
        ] {
            assert_eq!(explain_width(problem.to_owned()), problem);
        }
    }
}
