//! Classifies errors of the API server, and converts them to errors with hints.

#[cfg(feature = "gcs")]
use hype_stage::{StageError, StageErrorKind};
use kube::Error as KubeError;
use kube::core::Status;

use crate::configuration::Key;
use crate::error::{Error, ErrorKind};

/// The class of an API error, by what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// No response, or a temporary failure: retry.
    Transient,
    /// The namespace's quota is exhausted.
    Quota,
    /// Permission denied.
    Forbidden,
    /// The resource doesn't exist.
    NotFound,
    /// A resource of that name exists, or it was changed concurrently.
    Conflict,
    /// The requested resource version has expired.
    Gone,
    /// Any other rejection.
    Rejected,
}

impl ErrorClass {
    pub(crate) fn of(error: &KubeError) -> Self {
        match error {
            KubeError::Api(status) => Self::of_status(status),
            // Google's credentials are missing.
            #[cfg(feature = "gcs")]
            KubeError::Service(error)
                if error
                    .downcast_ref()
                    .is_some_and(|error: &StageError| error.kind() == StageErrorKind::Denied) =>
            {
                Self::Rejected
            }
            // The credentials can't be loaded, or the response isn't from Kubernetes.
            KubeError::Auth(_) | KubeError::SerdeError(_) | KubeError::BuildRequest(_) => {
                Self::Rejected
            }
            _ => Self::Transient,
        }
    }

    pub(crate) fn of_status(status: &Status) -> Self {
        match status.code {
            403 if is_over_quota(status) => Self::Quota,
            401 | 403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            429 | 500.. => Self::Transient,
            _ => Self::Rejected,
        }
    }
}

/// Returns whether a request is denied for a quota. The API server has no specific reason code, so this matches its text.
fn is_over_quota(status: &Status) -> bool {
    status.message.contains("exceeded quota")
}

/// Converts `error` to an error with `message` and a hint.
pub(crate) fn request_error(message: impl Into<String>, error: KubeError) -> Error {
    let class = ErrorClass::of(&error);
    let error = match error {
        KubeError::Api(status) => Error::runner(message, status_text(&status)),
        error => Error::runner(message, chain(&error)),
    };
    match class {
        ErrorClass::Quota => error.hint(
            "wait until other runs have ended, request less by RunEnvironment::with_request, or have \
             the quota of the namespace raised: kubectl describe quota",
        ),
        ErrorClass::Forbidden => error.hint(
            "docs/kubernetes.md has a Role with all that hype needs; kubectl auth can-i --list \
             lists your permissions",
        ),
        ErrorClass::Transient => error
            .concerning(Key::Submitter)
            .concerning(Key::Context)
            .hint("check the cluster and the network: kubectl version"),
        _ => error,
    }
}

/// Returns whether the request itself is invalid, so that the user must change it.
pub(crate) fn is_input(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Rejected)
}

/// Converts `error` like [`request_error`], but reports an invalid request as the user's input error.
pub(crate) fn user_request_error(message: impl Into<String>, error: KubeError) -> Error {
    match (ErrorClass::of(&error), error) {
        (class, KubeError::Api(status)) if is_input(class) => {
            Error::new(ErrorKind::Input, message).because(status_text(&status))
        }
        (_, error) => request_error(message, error),
    }
}

/// Returns the message of a status, else its reason or code.
pub(crate) fn status_text(status: &Status) -> String {
    match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("status {}", status.code),
        ("", reason) => reason.to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// Joins an error of kube with its causes, and omits repeated texts.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let cause_text = error.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        cause = error.source();
    }
    text
}
