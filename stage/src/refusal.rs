//! What a store's refusal means, and what a person can do about it.
//!
//! Providers say much of it in the body of an answer alone, and the client hands that on as text.

use std::fmt;

use crate::error::{StageError, StageErrorKind};
use crate::provider::Provider;

/// What was asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Read,
    Write,
    LookFor,
    List,
    Remove,
}

/// Why a store doesn't do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    NoObject,
    NoBucket,
    /// There are none, or none that are good.
    Credentials,
    Clock,
    Forbidden,
    Region,
    /// Everything else, of which the client has tried again what may pass.
    Failing,
}

impl Request {
    /// The error of this request for the object at `url`.
    pub(crate) fn failed(
        self,
        provider: Option<&Provider>,
        url: &str,
        error: object_store::Error,
    ) -> StageError {
        let answer = Answer::of(&error);
        let problem = problem(&error, &answer.text);
        let (kind, message) = match problem {
            Problem::NoObject => {
                return StageError::new(StageErrorKind::NotFound, format!("{url} is not there"));
            }
            Problem::NoBucket => {
                (StageErrorKind::Location, format!("there is no bucket for {url}"))
            }
            Problem::Region => {
                (StageErrorKind::Location, format!("the bucket of {url} is in another region"))
            }
            Problem::Credentials | Problem::Clock => {
                (StageErrorKind::Denied, format!("not known to the store of {url}"))
            }
            Problem::Forbidden => {
                (StageErrorKind::Denied, format!("not allowed to {} {url}", self.verb()))
            }
            Problem::Failing => {
                (StageErrorKind::Unavailable, format!("cannot {} {url}", self.verb()))
            }
        };
        let refusal = match answer.said {
            Some(said) => StageError::new(kind, message).because(said),
            None => StageError::new(kind, message).because(error),
        };
        match hint(problem, provider, self) {
            Some(hint) => refusal.hint(hint),
            None => refusal,
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

/// The problem behind `error`, whose messages are `text`.
///
/// The text decides where the client's error doesn't tell: it has no code of the answer's, and it knows
/// one kind of "not found" for objects and buckets alike.
fn problem(error: &object_store::Error, text: &str) -> Problem {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
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
        // Of some requests the client doesn't look at the status.
        _ if says(&["status code: 401"]) => Problem::Credentials,
        _ if says(&["status code: 403"]) => Problem::Forbidden,
        _ => Problem::Failing,
    }
}

/// How the three providers say that a key or a token isn't good.
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

fn hint(problem: Problem, provider: Option<&Provider>, request: Request) -> Option<String> {
    if problem == Problem::Clock {
        return Some(CLOCK.to_owned());
    }
    let hints = &provider?.hints;
    let hint = match problem {
        Problem::NoBucket => format!("make it with `{}`", hints.creation),
        Problem::Region => hints.region?.to_owned(),
        Problem::Credentials => hints.login.to_owned(),
        Problem::Forbidden => {
            format!("it takes {}, {}", (hints.permission)(request), hints.grant)
        }
        Problem::Clock | Problem::NoObject | Problem::Failing => return None,
    };
    Some(hint)
}

const CLOCK: &str = "this machine's clock is wrong, and stores refuse requests from another time: set \
                     it, e.g. with `timedatectl set-ntp true`";

/// What a store answered.
struct Answer {
    /// All messages of the error.
    text: String,
    /// What the store said, for people.
    said: Option<Said>,
}

/// A store's answer in short: `403 Forbidden: AccessDenied: no access`.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

impl Answer {
    fn of(error: &object_store::Error) -> Self {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |c| c.source());
        let messages: Vec<_> = causes.map(ToString::to_string).collect();
        let text = messages.join("\n");
        Self { said: Said::of(&text), text }
    }
}

impl Said {
    /// Finds what a store said in the client's messages.
    fn of(text: &str) -> Option<Self> {
        let (_, answer) = text.split_once("non-2xx status code: ")?;
        let (status, body) = answer.split_once(": ").unwrap_or((answer, ""));
        let element = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once("</")?.0.lines().next()?.trim())
        };
        let details = ["Code", "Message", "Details"].into_iter().filter_map(element);
        let mut said = status.lines().next()?.trim().to_owned();
        for detail in details {
            said = format!("{said}: {detail}");
        }
        if said == status && !body.contains('<') {
            // A token's endpoint answers with JSON.
            let line = body.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            let line: String = line.chars().take(300).collect();
            if !line.is_empty() {
                said = format!("{said}: {line}");
            }
        }
        Some(Self(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(
        url: &str,
        request: Request,
        error: fn(String, Box<dyn std::error::Error + Send + Sync>) -> object_store::Error,
        answer: &str,
    ) -> String {
        let source = format!("Server returned non-2xx status code: {answer}").into();
        let error = error("p/blobs/1".to_owned(), source);
        let error = request.failed(Provider::of(url), "gs://b/p/blobs/1", error);
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
    fn a_refusal_says_what_is_missing() {
        let body = "403 Forbidden: <?xml version='1.0'?><Error><Code>AccessDenied</Code>\
                    <Message>Access denied.</Message><Details>a@b does not have \
                    storage.objects.create access</Details></Error>";
        assert_eq!(
            refused("gs://b", Request::Write, denied, body),
            "not allowed to write gs://b/p/blobs/1\n\
             403 Forbidden: AccessDenied: Access denied.: a@b does not have \
             storage.objects.create access\n\
             it takes storage.objects.create and storage.objects.delete, which the role \
             roles/storage.objectUser on the bucket gives\n\
             Denied"
        );
    }

    #[test]
    fn a_bucket_that_is_not_there_is_no_missing_object() {
        let body = "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>";
        assert_eq!(
            refused("s3://b", Request::Write, absent, body),
            "there is no bucket for gs://b/p/blobs/1\n404 Not Found: NoSuchBucket\n\
             make it with `aws s3 mb s3://BUCKET`\nLocation"
        );
        let body = "404 Not Found: <Error><Code>NoSuchKey</Code></Error>";
        assert_eq!(
            refused("s3://b", Request::Read, absent, body),
            "gs://b/p/blobs/1 is not there\n\n\nNotFound"
        );
    }

    #[test]
    fn a_wrong_clock_is_told_from_bad_credentials() {
        let body = "403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>";
        let told = refused("s3://b", Request::Read, denied, body);
        assert!(told.contains("clock is wrong") && told.ends_with("Denied"), "{told}");
        let body = "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>";
        let told = refused("s3://b", Request::Read, denied, body);
        assert!(told.contains("set AWS_ACCESS_KEY_ID"), "{told}");
        let body = "401 Unauthorized: {\"error\": \"no\"}";
        let told = refused("gs://b", Request::Read, unknown, body);
        assert!(told.contains("401 Unauthorized: {\"error\": \"no\"}\nrun `gcloud auth"), "{told}");
    }
}
