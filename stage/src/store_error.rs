//! Converts the errors of object stores to [`StageError`]s with kinds and hints.
//!
//! Providers report many problems only in the body of a response, which the client includes in the error's
//! text.

use std::fmt;

use crate::error::{StageError, StageErrorKind};
use crate::provider::Provider;

/// An operation on a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    LookFor,
    List,
    Remove,
}

/// The reason why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    NoObject,
    NoBucket,
    /// Credentials are missing or invalid.
    Credentials,
    Clock,
    Forbidden,
    Region,
    /// Any other error. The client has retried transient ones.
    Failing,
}

impl Operation {
    /// Returns the error of this operation on the object at `url`.
    pub(crate) fn failed(
        self,
        provider: Option<&Provider>,
        url: &str,
        error: object_store::Error,
    ) -> StageError {
        let text = error_text(&error);
        let problem = problem(&error, &text);
        let (kind, message) = match problem {
            Problem::NoObject => {
                return StageError::new(StageErrorKind::NotFound, format!("{url} is not there"));
            }
            Problem::NoBucket => {
                (StageErrorKind::Location, format!("the bucket of {url} does not exist"))
            }
            Problem::Region => {
                (StageErrorKind::Location, format!("the bucket of {url} is in another region"))
            }
            Problem::Credentials | Problem::Clock => {
                (StageErrorKind::Denied, format!("not authenticated for {url}"))
            }
            Problem::Forbidden => {
                (StageErrorKind::Denied, format!("not allowed to {} {url}", self.verb()))
            }
            Problem::Failing => {
                (StageErrorKind::Unavailable, format!("cannot {} {url}", self.verb()))
            }
        };
        let failed = match ServerMessage::find(&text) {
            Some(server_message) => StageError::new(kind, message).because(server_message),
            None => StageError::new(kind, message).because(error),
        };
        match hint(problem, provider, self) {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::LookFor => "look for",
            Self::List => "list",
            Self::Remove => "remove",
        }
    }
}

/// Determines the problem of `error`, whose messages are `text`.
///
/// The text decides where the error's variant is ambiguous: the variant lacks the response's error code, and
/// is the same for a missing object and a missing bucket.
fn problem(error: &object_store::Error, text: &str) -> Problem {
    let says = |codes: &[&str]| codes.iter().any(|code| text.contains(code));
    if says(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        return Problem::NoBucket;
    }
    if says(&["RequestTimeTooSkewed", "RequestExpired", "date header too old", "short-lived token"])
    {
        return Problem::Clock;
    }
    if says(&BAD_CREDENTIALS) {
        return Problem::Credentials;
    }
    if says(&["redirect without LOCATION", "PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        return Problem::Region;
    }
    match error {
        object_store::Error::NotFound { .. } => Problem::NoObject,
        object_store::Error::Unauthenticated { .. } => Problem::Credentials,
        object_store::Error::PermissionDenied { .. } => Problem::Forbidden,
        // For some requests the client doesn't map the status to a variant.
        _ if says(&["status code: 401"]) => Problem::Credentials,
        _ if says(&["status code: 403"]) => Problem::Forbidden,
        _ => Problem::Failing,
    }
}

/// The error codes of the providers for an invalid key or token.
const BAD_CREDENTIALS: [&str; 8] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidClientTokenId",
    "AuthenticationFailed",
    "invalid_grant",
    "invalid_client",
];

fn hint(problem: Problem, provider: Option<&Provider>, operation: Operation) -> Option<String> {
    if problem == Problem::Clock {
        return Some(CLOCK.to_owned());
    }
    let hints = &provider?.hints;
    let hint = match problem {
        Problem::NoBucket => format!("create it with `{}`", hints.creation),
        Problem::Region => hints.region?.to_owned(),
        Problem::Credentials => hints.login.to_owned(),
        Problem::Forbidden => {
            format!("it takes {}, {}", (hints.permission)(operation), hints.grant)
        }
        Problem::Clock | Problem::NoObject | Problem::Failing => return None,
    };
    Some(hint)
}

const CLOCK: &str = "this machine's clock is wrong, and stores reject requests from another time: set \
                     it, e.g. with `timedatectl set-ntp true`";

/// Returns the messages of the error and of its causes.
fn error_text(error: &object_store::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |c| c.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The summary of a store's error response: `403 Forbidden: AccessDenied: no access`.
#[derive(Debug)]
struct ServerMessage(String);

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerMessage {}

impl ServerMessage {
    /// Finds the store's response in the client's messages.
    fn find(text: &str) -> Option<Self> {
        let (_, response) = text.split_once("non-2xx status code: ")?;
        let (status, body) = response.split_once(": ").unwrap_or((response, ""));
        let element = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once("</")?.0.lines().next()?.trim())
        };
        let details = ["Code", "Message", "Details"].into_iter().filter_map(element);
        let mut message = status.lines().next()?.trim().to_owned();
        for detail in details {
            message = format!("{message}: {detail}");
        }
        if message == status && !body.contains('<') {
            // A token endpoint responds with JSON.
            let line = body.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            let line: String = line.chars().take(300).collect();
            if !line.is_empty() {
                message = format!("{message}: {line}");
            }
        }
        Some(Self(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(
        url: &str,
        operation: Operation,
        error: fn(String, Box<dyn std::error::Error + Send + Sync>) -> object_store::Error,
        response: &str,
    ) -> String {
        let source = format!("Server returned non-2xx status code: {response}").into();
        let error = error("p/blobs/1".to_owned(), source);
        let error = operation.failed(Provider::of(url), "gs://b/p/blobs/1", error);
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let kind = error.kind();
        [
            error.to_string(),
            source.unwrap_or_default(),
            error.advice().unwrap_or_default().to_owned(),
        ]
        .join("\n")
            + &format!("\n{kind:?}")
    }

    fn denied(
        path: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> object_store::Error {
        object_store::Error::PermissionDenied { path, source }
    }

    fn unknown(
        path: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> object_store::Error {
        object_store::Error::Unauthenticated { path, source }
    }

    fn absent(
        path: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> object_store::Error {
        object_store::Error::NotFound { path, source }
    }

    #[test]
    fn denied_request_names_the_permissions() {
        let body = "403 Forbidden: <?xml version='1.0'?><Error><Code>AccessDenied</Code>\
                    <Message>Access denied.</Message><Details>a@b does not have \
                    storage.objects.create access</Details></Error>";
        assert_eq!(
            report("gs://b", Operation::Write, denied, body),
            "not allowed to write gs://b/p/blobs/1\n\
             403 Forbidden: AccessDenied: Access denied.: a@b does not have \
             storage.objects.create access\n\
             it takes storage.objects.create and storage.objects.delete, which the role \
             roles/storage.objectUser on the bucket grants\n\
             Denied"
        );
    }

    #[test]
    fn missing_bucket_differs_from_missing_object() {
        let body = "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>";
        assert_eq!(
            report("s3://b", Operation::Write, absent, body),
            "the bucket of gs://b/p/blobs/1 does not exist\n404 Not Found: NoSuchBucket\n\
             create it with `aws s3 mb s3://BUCKET`\nLocation"
        );
        let body = "404 Not Found: <Error><Code>NoSuchKey</Code></Error>";
        assert_eq!(
            report("s3://b", Operation::Read, absent, body),
            "gs://b/p/blobs/1 is not there\n\n\nNotFound"
        );
    }

    #[test]
    fn wrong_clock_differs_from_bad_credentials() {
        let body = "403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>";
        let text = report("s3://b", Operation::Read, denied, body);
        assert!(text.contains("clock is wrong") && text.ends_with("Denied"), "{text}");
        let body = "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>";
        let text = report("s3://b", Operation::Read, denied, body);
        assert!(text.contains("set AWS_ACCESS_KEY_ID"), "{text}");
        let body = "401 Unauthorized: {\"error\": \"no\"}";
        let text = report("gs://b", Operation::Read, unknown, body);
        assert!(text.contains("401 Unauthorized: {\"error\": \"no\"}\nrun `gcloud auth"), "{text}");
    }
}
