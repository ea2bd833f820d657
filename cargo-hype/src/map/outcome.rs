//! The outcomes of items, and the decision which of them are results.

use hype::FailureKind;
use hype::component::EncodedValue;

use crate::json::{self, Survey};

/// The end of an item.
pub(super) enum Outcome {
    Value { value: EncodedValue, survey: Survey },
    Failure { error: hype::Error, is_result: bool },
}

impl Outcome {
    /// Returns the outcome of an item whose run has ended. A value that has no form in JSON is a failure.
    pub(super) fn of_run(result: hype::Result<EncodedValue>) -> Self {
        match result.map(|value| (json::survey(&value.0), value)) {
            Ok((Ok(survey), value)) => Self::Value { value, survey },
            Ok((Err(problem), _)) => Self::Failure {
                error: hype::Error::input(format!("the value {problem}")),
                is_result: true,
            },
            Err(error) => Self::Failure { is_result: is_result(&error), error },
        }
    }

    /// Returns the outcome of an item whose arguments are invalid.
    pub(super) fn of_invalid(error: hype::Error) -> Self {
        Self::Failure { error, is_result: true }
    }
}

/// Returns whether the function itself has failed, so that another call would fail, too. Other options of the command,
/// another runner or a later time may avoid any other failure.
fn is_result(error: &hype::Error) -> bool {
    error.failure().is_some_and(|failure| {
        matches!(
            failure.kind,
            FailureKind::Function
                | FailureKind::Exit
                | FailureKind::Panic
                | FailureKind::Trap
                | FailureKind::Stack
                | FailureKind::Resources
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_environment_are_no_results() {
        for error in [
            hype::Error::input("there is no directory /data"),
            hype::Error::runner("cannot start a container", "no daemon"),
            hype::Error::lost("r-1", "the node is gone"),
        ] {
            let outcome = Outcome::of_run(Err(error));
            assert!(matches!(outcome, Outcome::Failure { is_result: false, .. }));
        }
    }

    #[test]
    fn value_without_form_in_json_is_a_failure() {
        // A MessagePack extension.
        let value = EncodedValue(vec![0xd4, 5, 0]);
        let Outcome::Failure { error, is_result: true } = Outcome::of_run(Ok(value)) else {
            panic!("it is no failure");
        };
        assert!(error.to_string().starts_with("the value "), "{error}");
    }
}
