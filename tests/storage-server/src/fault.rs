//! What goes wrong, and when.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};

use crate::call::{Call, Operation};
use crate::pattern::Pattern;
use crate::reply::Reply;
use crate::xml;

/// Something that goes wrong with a request.
///
/// Those about a body are about the response's; a request whose response has none, such as
/// [`Operation::Head`], is served as if there were no fault.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done, and the request answered with an error.
    Refuse(Refusal),
    /// All is done, and the request answered with an error nevertheless.
    RefuseOnceDone(Refusal),
    /// Nothing is done, not even the request's body read, and the connection reset.
    Reset,
    /// All is done, and the connection reset before the response.
    ResetOnceDone,
    /// The request is served after this time.
    Delay(Duration),
    /// The body pauses for a time after so many bytes.
    DelayBody {
        /// How many bytes come before.
        after: u64,
        /// How long it pauses.
        pause: Duration,
    },
    /// The body comes in small pieces, with a pause after each.
    SlowBody {
        /// How many bytes a piece has; at least 1.
        piece: u64,
        /// How long each pause is.
        pause: Duration,
    },
    /// The connection is reset after so many bytes of the body. A body that has no more comes whole.
    ResetBody {
        /// How many bytes come before.
        after: u64,
    },
    /// The connection is closed after so many bytes of the body, though more were promised. A body
    /// that has no more comes whole.
    CutBody {
        /// How many bytes come before.
        after: u64,
    },
    /// All bits of one byte of the body are flipped; of the last if it is shorter.
    AlterBody {
        /// How many bytes come before.
        at: u64,
    },
}

/// An error in place of a response.
#[derive(Debug, Clone)]
#[must_use]
pub struct Refusal {
    status: StatusCode,
    retry_after: Option<u64>,
    body: String,
}

impl Refusal {
    /// An error with this status and the document that Google Cloud Storage sends with it.
    ///
    /// # Panics
    ///
    /// When that is no status of HTTP.
    pub fn new(status: u16) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else { panic!("{status} is no status") };
        let body = xml::refusal(code(status), status.canonical_reason().unwrap_or_default());
        Self { status, retry_after: None, body }
    }

    /// The seconds after which the client may try again, in the header `Retry-After`.
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Another body.
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

/// The word for programs that goes with a status.
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

/// A fault, and the requests that meet it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Rule {
    operation: Option<Operation>,
    objects: Pattern,
    times: Times,
    fault: Fault,
}

/// Which of the requests that a rule is about, counted from 1.
#[derive(Debug, Clone, Copy)]
enum Times {
    Always,
    First(u64),
    Nth(u64),
    Sometimes { percent: u8, seed: u64 },
}

impl Rule {
    /// Requests of this kind, or of any, about objects whose names match meet `fault`, each time.
    ///
    /// `*` stands for any text in `objects`. The name is empty for requests about no object.
    pub fn new(operation: impl Into<Option<Operation>>, objects: &str, fault: Fault) -> Self {
        let (operation, objects) = (operation.into(), Pattern::new(objects));
        Self { operation, objects, times: Times::Always, fault }
    }

    /// Only the first `count` of those requests.
    pub fn first(mut self, count: u64) -> Self {
        self.times = Times::First(count);
        self
    }

    /// Only one of those requests: 1 is the first from now on.
    pub fn nth(mut self, number: u64) -> Self {
        self.times = Times::Nth(number);
        self
    }

    /// About so many in a hundred of those requests: the same ones for the same seed.
    pub fn sometimes(mut self, percent: u8, seed: u64) -> Self {
        self.times = Times::Sometimes { percent, seed };
        self
    }

    fn is_about(&self, call: &Call) -> bool {
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
            Self::Sometimes { percent, seed } => scattered(seed, number) % 100 < u64::from(percent),
        }
    }
}

/// A number that looks random and is always the same (SplitMix64).
fn scattered(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The rules in force, each with how many requests it has been about.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<(Rule, u64)>>);

impl Faults {
    pub(crate) fn add(&self, rule: Rule) {
        self.rules(|rules| rules.push((rule, 0)));
    }

    pub(crate) fn clear(&self) {
        self.rules(Vec::clear);
    }

    /// What goes wrong with `call`: what the first rule says whose turn it is. All others count on.
    pub(crate) fn meet(&self, call: &Call) -> Option<Fault> {
        self.rules(|rules| {
            let mut met = None;
            for (rule, count) in rules.iter_mut().filter(|(rule, _)| rule.is_about(call)) {
                *count += 1;
                if met.is_none() && rule.times.has(*count) {
                    met = Some(rule.fault.clone());
                }
            }
            met
        })
    }

    fn rules<T>(&self, with: impl FnOnce(&mut Vec<(Rule, u64)>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The requests of a hundred that meet a fault, by number.
    fn met(rule: impl Fn(Rule) -> Rule) -> Vec<u64> {
        let times = rule(Rule::new(None, "*", Fault::Reset)).times;
        (1..=100).filter(|number| times.has(*number)).collect()
    }

    #[test]
    fn rules_are_about_the_times_that_they_name() {
        assert_eq!(met(|rule| rule).len(), 100);
        assert_eq!(met(|rule| rule.first(3)), [1, 2, 3]);
        assert_eq!(met(|rule| rule.nth(3)), [3]);
        assert_eq!(met(|rule| rule.sometimes(0, 7)), [0; 0]);
        assert_eq!(met(|rule| rule.sometimes(100, 7)).len(), 100);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let some = met(|rule| rule.sometimes(20, 1));
        assert_eq!(some, met(|rule| rule.sometimes(20, 1)));
        assert_ne!(some, met(|rule| rule.sometimes(20, 2)));
        assert!((10..30).contains(&some.len()), "{some:?}");
    }
}
