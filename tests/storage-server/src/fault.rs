//! Faults, and rules that select the requests with a fault.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use crate::call::{Call, Operation};
use crate::pattern::Pattern;
use crate::reply::Reply;
use crate::xml;

/// A fault of a request.
///
/// Faults of a body concern the response's body. A response without a body, such as that of
/// [`Operation::Head`], is sent without the fault.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Responds with an error, without carrying out the request.
    Refuse(Refusal),
    /// Carries out the request, but responds with an error.
    RefuseAfterServing(Refusal),
    /// Resets the connection, without reading the request's body or carrying out the request.
    Reset,
    /// Carries out the request, and resets the connection before the response: a lost response.
    ResetAfterServing,
    /// Carries out the request after this time.
    Delay(Duration),
    /// Pauses in the middle of the body.
    DelayBody {
        /// The number of bytes before the pause.
        after: u64,
        /// The length of the pause.
        pause: Duration,
    },
    /// Sends the body in small pieces, with a pause after each.
    SlowBody {
        /// The number of bytes of a piece; at least 1.
        piece: u64,
        /// The length of each pause.
        pause: Duration,
    },
    /// Resets the connection in the middle of the body. A shorter body is sent whole.
    ResetBody {
        /// The number of bytes before the reset.
        after: u64,
    },
    /// Closes the connection in the middle of the body, before the announced length. A shorter body is sent
    /// whole.
    CutBody {
        /// The number of bytes before the end.
        after: u64,
    },
    /// Flips all bits of one byte of the body.
    AlterBody {
        /// The offset of the byte; the last byte if the body is shorter.
        at: u64,
    },
}

/// An error response.
#[derive(Debug, Clone)]
#[must_use]
pub struct Refusal {
    status: StatusCode,
    retry_after: Option<u64>,
    body: String,
}

impl Refusal {
    /// Creates an error response with this status and the body of Google Cloud Storage.
    ///
    /// # Panics
    ///
    /// Panics if `status` is not an HTTP status.
    pub fn new(status: u16) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else { panic!("{status} is not a status") };
        let body = xml::refusal(code(status), status.canonical_reason().unwrap_or_default());
        Self { status, retry_after: None, body }
    }

    /// Sets the header `Retry-After`, in seconds.
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn reply(&self) -> Reply {
        let mut reply = Reply::new(self.status).with_text(xml::CONTENT_TYPE, self.body.clone());
        if let Some(seconds) = self.retry_after {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}

/// Returns the error code of a status.
fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "AuthenticationRequired",
        403 => "AccessDenied",
        404 => "NoSuchKey",
        412 => "PreconditionFailed",
        429 => "SlowDown",
        503 => "ServiceUnavailable",
        500.. => "InternalError",
        _ => "InvalidArgument",
    }
}

/// A fault and the requests that it applies to.
#[derive(Debug, Clone)]
#[must_use]
pub struct Rule {
    operation: Option<Operation>,
    objects: Pattern,
    times: Times,
    fault: Fault,
}

/// The numbers of the matching requests with the fault, counted from 1.
#[derive(Debug, Clone, Copy)]
enum Times {
    Always,
    First(u64),
    Nth(u64),
    Sometimes { percent: u8, seed: u64 },
}

impl Rule {
    /// Creates a rule for all requests of this operation, or of any operation, on objects whose names match
    /// `objects`.
    ///
    /// `*` matches any text. The name is empty for requests on no object.
    pub fn new(operation: impl Into<Option<Operation>>, objects: &str, fault: Fault) -> Self {
        let (operation, objects) = (operation.into(), Pattern::new(objects));
        Self { operation, objects, times: Times::Always, fault }
    }

    /// Limits the rule to the first `count` matching requests.
    pub fn first(mut self, count: u64) -> Self {
        self.times = Times::First(count);
        self
    }

    /// Limits the rule to one matching request, counted from 1.
    pub fn nth(mut self, number: u64) -> Self {
        self.times = Times::Nth(number);
        self
    }

    /// Limits the rule to a random share of the matching requests, deterministic for a seed.
    pub fn sometimes(mut self, percent: u8, seed: u64) -> Self {
        self.times = Times::Sometimes { percent, seed };
        self
    }

    fn matches(&self, call: &Call) -> bool {
        self.operation.is_none_or(|operation| operation == call.operation)
            && self.objects.matches(&call.object)
    }
}

impl Times {
    fn has(self, number: u64) -> bool {
        match self {
            Self::Always => true,
            Self::First(count) => number <= count,
            Self::Nth(nth) => number == nth,
            Self::Sometimes { percent, seed } => split_mix(seed, number) % 100 < u64::from(percent),
        }
    }
}

/// Returns a deterministic random number (SplitMix64).
fn split_mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The active rules, each with the number of matching requests so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(Rule, u64)>>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        self.rules(|rules| rules.push((rule, 0)));
    }

    pub(crate) fn clear(&self) {
        self.rules(Vec::clear);
    }

    /// Returns the fault of the first rule that applies to `call`. All matching rules count the request.
    pub(crate) fn next_fault(&self, call: &Call) -> Option<Fault> {
        self.rules(|rules| {
            let mut fault = None;
            for (rule, count) in rules.iter_mut().filter(|(rule, _)| rule.matches(call)) {
                *count += 1;
                if fault.is_none() && rule.times.has(*count) {
                    fault = Some(rule.fault.clone());
                }
            }
            fault
        })
    }

    fn rules<T>(&self, with: impl FnOnce(&mut Vec<(Rule, u64)>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the numbers of the requests with a fault, of a hundred requests.
    fn faulty(rule: impl Fn(Rule) -> Rule) -> Vec<u64> {
        let times = rule(Rule::new(None, "*", Fault::Reset)).times;
        (1..=100).filter(|number| times.has(*number)).collect()
    }

    #[test]
    fn rule_selects_requests_by_number() {
        assert_eq!(faulty(|rule| rule).len(), 100);
        assert_eq!(faulty(|rule| rule.first(3)), [1, 2, 3]);
        assert_eq!(faulty(|rule| rule.nth(3)), [3]);
        assert_eq!(faulty(|rule| rule.sometimes(0, 7)), [0; 0]);
        assert_eq!(faulty(|rule| rule.sometimes(100, 7)).len(), 100);
    }

    #[test]
    fn random_faults_are_deterministic() {
        let some = faulty(|rule| rule.sometimes(20, 1));
        assert_eq!(some, faulty(|rule| rule.sometimes(20, 1)));
        assert_ne!(some, faulty(|rule| rule.sometimes(20, 2)));
        assert!((10..30).contains(&some.len()), "{some:?}");
    }
}
