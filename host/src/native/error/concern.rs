//! The settings that caused an error, so that its hint can name the file that sets them.

use hype_stage::StageErrorKind;
use hype_wire::causes;

use super::Error;
use crate::configuration::Key;

/// A setting that may have caused an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Concern {
    key: Key,
    /// The rejected value; `None` for the configured one.
    value: Option<String>,
}

impl Error {
    /// Declares that the configured value of `key` causes the error.
    #[must_use]
    pub(crate) fn concerning(mut self, key: Key) -> Self {
        self.0.concerns.push(Concern { key, value: None });
        self
    }

    /// Declares that `value` causes the error, which is the value of `key` unless the program chose it.
    #[must_use]
    pub(crate) fn concerning_value(mut self, key: Key, value: &str) -> Self {
        self.0.concerns.push(Concern { key, value: Some(value.to_owned()) });
        self
    }

    /// Declares that the URL of the stage causes an error of this kind, if it can.
    pub(super) fn concerning_stage(self, kind: StageErrorKind) -> Self {
        match kind {
            StageErrorKind::Location | StageErrorKind::Denied | StageErrorKind::Unavailable => {
                self.concerning(Key::Staging)
            }
            _ => self,
        }
    }

    /// Declares that the hint names the file that sets the concerned settings.
    #[must_use]
    pub(crate) fn explained(mut self) -> Self {
        self.0.is_explained = true;
        self
    }

    /// Returns whether the configured `value` of `key` causes the error or one of its causes, and no hint explains that
    /// yet.
    pub(crate) fn concerns(&self, key: Key, value: &str) -> bool {
        let is_explained = self.0.is_explained;
        !is_explained
            && self.all_concerns().any(|concern| {
                concern.key == key && concern.value.as_deref().is_none_or(|known| known == value)
            })
    }

    /// Returns the settings that cause the error or one of its causes.
    pub(super) fn all_concerns(&self) -> impl Iterator<Item = &Concern> {
        let causes = causes(self).filter_map(|cause| cause.downcast_ref::<Self>());
        std::iter::once(self).chain(causes).flat_map(|error| &error.0.concerns)
    }
}
