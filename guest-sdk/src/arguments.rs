//! The arguments of a call: one MessagePack array, made natively and read in the guest;
//! natively, too, by the tests that play hostile submitters.

use std::ops::RangeInclusive;

use hype_wire::{Failure, FailureKind, FunctionRecord, codec};

use crate::bounds::Argument;

/// Arguments on their way out.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
pub struct BoundArguments {
    bytes: Result<Vec<u8>, hype_wire::WireError>,
    bound: usize,
}

#[cfg(not(target_family = "wasm"))]
impl BoundArguments {
    /// No arguments yet, of `count` that will come.
    pub fn new(count: u32) -> Self {
        Self { bytes: Ok(codec::array_head(count)), bound: 0 }
    }

    /// With the next argument behind the others.
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

    /// The array, or why one of the arguments cannot be sent.
    pub fn finish(self) -> Result<Vec<u8>, hype_wire::WireError> {
        self.bytes
    }
}

/// Arguments that arrived.
#[derive(Debug)]
pub struct Arguments {
    values: codec::Values,
    function: &'static FunctionRecord<'static>,
    taken: usize,
}

impl Arguments {
    /// The arguments in `bytes`, of which there must be as many as `function` has parameters.
    ///
    /// # Errors
    ///
    /// A failure of the kind `incompatible`.
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

    /// The next argument, or a failure that names its parameter and what didn't fit.
    pub fn take<T: Argument>(&mut self) -> Result<T, Failure> {
        let parameter = &self.function.parameters[self.taken];
        self.taken += 1;
        self.values.read_owned().map_err(|error| {
            incompatible(format!(
                "parameter `{}: {}` of `{}`: {}",
                parameter.name,
                parameter.type_name,
                self.function.name,
                with_cause(error.to_string())
            ))
        })
    }

    /// Makes sure that nothing follows the last argument.
    pub fn finish(self) -> Result<(), Failure> {
        self.values.finish().map_err(|error| {
            incompatible(format!("the arguments of `{}`: {error}", self.function.name))
        })
    }
}

/// Adds to `problem` that a closure's addresses have 32 bits, where a number has too many for that and few enough
/// for the machine that it came from.
fn with_cause(problem: String) -> String {
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
    use super::with_cause;

    #[test]
    fn a_number_with_too_many_bits_names_the_cause() {
        for (size, number, instead) in [
            ("usize", "4294967296", "u64"),
            ("a nonzero usize", "18446744073709551615", "u64"),
            ("isize", "-2147483649", "i64"),
        ] {
            let problem = format!("at [1]: expected {size}, found the number {number}");
            let explained = with_cause(problem.clone());
            assert!(
                explained.starts_with(&problem) && explained.contains("32 bits"),
                "{explained}"
            );
            assert!(explained.ends_with(&format!("take `{instead}` instead")), "{explained}");
        }
    }

    #[test]
    fn other_problems_stay_as_they_are() {
        for problem in [
            "expected u8, found the number 300",
            "expected usize, found the number -2",
            "expected usize, found the number 18446744073709551616",
            "expected usize, found the string \"a\"",
        ] {
            assert_eq!(with_cause(problem.to_owned()), problem);
        }
    }
}
