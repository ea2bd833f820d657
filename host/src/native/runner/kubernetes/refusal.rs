//! What an API server answers that isn't what was asked for, as a person should read it.

#[cfg(feature = "gcs")]
use hype_stage::{StageError, StageErrorKind};
use kube::Error as KubeError;
use kube::core::Status;

use crate::error::{Error, ErrorKind};

/// What can be done about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There was none, or the server says that it can't just now: ask again.
    Away,
    /// The namespace's quota is used up.
    Quota,
    /// We may not do that.
    Forbidden,
    /// It isn't there.
    NotFound,
    /// Something of that name is there, or it changed meanwhile.
    Conflict,
    /// What is asked for is too old.
    Gone,
    /// Anything else.
    Refused,
}

impl Trouble {
    pub(crate) fn of(error: &KubeError) -> Self {
        match error {
            KubeError::Api(status) => Self::of_status(status),
            // Nobody says who we are.
            #[cfg(feature = "gcs")]
            KubeError::Service(error)
                if error
                    .downcast_ref()
                    .is_some_and(|error: &StageError| error.kind() == StageErrorKind::Denied) =>
            {
                Self::Refused
            }
            // Who we are can't be found out, or what we hear isn't Kubernetes.
            KubeError::Auth(_) | KubeError::SerdeError(_) | KubeError::BuildRequest(_) => {
                Self::Refused
            }
            _ => Self::Away,
        }
    }

    pub(crate) fn of_status(status: &Status) -> Self {
        match status.code {
            403 if is_over_quota(status) => Self::Quota,
            401 | 403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            429 | 500.. => Self::Away,
            _ => Self::Refused,
        }
    }
}

/// Whether a request is denied for a quota. The API server has no reason of its own for that, so that its text decides.
fn is_over_quota(status: &Status) -> bool {
    status.message.contains("exceeded quota")
}

/// `error` as one of `message`, with what a person can do.
pub(crate) fn refused(message: impl Into<String>, error: KubeError) -> Error {
    let trouble = Trouble::of(&error);
    let error = match error {
        KubeError::Api(status) => Error::runner(message, told(&status)),
        error => Error::runner(message, chain(&error)),
    };
    match trouble {
        Trouble::Quota => error.hint(
            "wait until others have ended, ask for less by RunEnvironment::with_request, or have \
             the quota of the namespace raised: kubectl describe quota",
        ),
        Trouble::Forbidden => error.hint(
            "docs/kubernetes.md has a Role with all that hype needs; kubectl auth can-i --list \
             tells what you may do",
        ),
        Trouble::Away => error.hint("is the cluster up, and the network? kubectl version tells"),
        _ => error,
    }
}

/// Whether `error` says that its request can't be fulfilled, rather than that it wasn't.
pub(crate) fn is_input(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::Refused)
}

/// The same of what a user asked for: what a server finds wrong with it is theirs to mend.
pub(crate) fn refused_input(message: impl Into<String>, error: KubeError) -> Error {
    match (Trouble::of(&error), error) {
        (trouble, KubeError::Api(status)) if is_input(trouble) => {
            Error::new(ErrorKind::Input, message).because(told(&status))
        }
        (_, error) => refused(message, error),
    }
}

pub(crate) fn told(status: &Status) -> String {
    match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("status {}", status.code),
        ("", reason) => reason.to_owned(),
        (message, _) => message.to_owned(),
    }
}

/// An error of kube's with its causes; many repeat them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
