//! The causes of an error, even if they form a cycle.

use std::error::Error;

/// The maximum number of causes. An error can create a new cause at each call of `source`.
const MAX_CAUSES: usize = 256;

/// The message in place of the repeated causes of a cycle.
const CYCLE: &str = "and so on: an error of these is its own cause";

/// An iterator over the causes of an error, the nearest first.
///
/// It ends before a cause that it returned already, and after 256 causes. Causes are compared by address and
/// vtable. The compiler may create several vtables for one type, so a cause can appear twice before
/// the cycle is detected.
#[derive(Debug)]
pub struct Causes<'a> {
    next: Option<&'a (dyn Error + 'static)>,
    seen: Vec<&'a (dyn Error + 'a)>,
}

/// Returns the causes of `error`, the nearest first.
///
/// ```
/// let error = "300".parse::<u8>().unwrap_err();
/// assert_eq!(hype_wire::causes(&error).count(), 0);
/// ```
pub fn causes<'a>(error: &'a (dyn Error + 'a)) -> Causes<'a> {
    Causes { next: error.source(), seen: vec![error] }
}

/// Returns the messages of `error` and its causes on one line, as a part of another message.
///
/// ```
/// let error = "300".parse::<u8>().unwrap_err();
/// assert_eq!(hype_wire::one_line(&error), "number too large to fit in target type");
/// ```
pub fn one_line(error: &dyn Error) -> String {
    let causes = causes(error).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}

/// Returns the messages of the causes of `error`. If there are more causes, the last message says so.
pub fn cause_messages(error: &dyn Error) -> Vec<String> {
    let mut causes = causes(error);
    let mut messages: Vec<_> = causes.by_ref().map(ToString::to_string).collect();
    match causes.next {
        Some(_) if causes.is_full() => messages.push(format!("more than {MAX_CAUSES} causes")),
        Some(_) => messages.push(CYCLE.to_owned()),
        None => {}
    }
    messages
}

impl Causes<'_> {
    fn is_full(&self) -> bool {
        self.seen.len() > MAX_CAUSES
    }
}

impl<'a> Iterator for Causes<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let cause = self.next?;
        // The address alone doesn't identify an error: an error shares it with its first field, and types
        // without fields share it with each other.
        if self.is_full() || self.seen.iter().any(|&seen| std::ptr::eq(seen, cause)) {
            return None;
        }
        self.seen.push(cause);
        self.next = cause.source();
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::OnceLock;

    use super::*;

    /// An error whose cause is the next error of a chain or cycle.
    #[derive(Debug)]
    struct Link {
        name: &'static str,
        next: OnceLock<&'static Link>,
    }

    impl Link {
        fn new(name: &'static str) -> &'static Self {
            Box::leak(Box::new(Self { name, next: OnceLock::new() }))
        }

        fn leads_to(&self, next: &'static Self) {
            self.next.set(next).unwrap();
        }
    }

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.name)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.next.get().map(|next| *next as _)
        }
    }

    /// An error without fields, like the causes of many errors.
    #[derive(Debug)]
    struct Outer;

    #[derive(Debug)]
    struct Inner;

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inner")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Inner)
        }
    }

    impl Error for Inner {}

    fn as_texts(messages: &[String]) -> Vec<&str> {
        messages.iter().map(String::as_str).collect()
    }

    #[test]
    fn error_that_causes_itself_ends_the_chain() {
        let error = Link::new("a");
        error.leads_to(error);
        let messages = cause_messages(error);
        assert!([&[CYCLE][..], &["a", CYCLE]].contains(&&*as_texts(&messages)));
    }

    #[test]
    fn cycle_of_causes_is_listed_once() {
        let (first, second, third) = (Link::new("a"), Link::new("b"), Link::new("c"));
        first.leads_to(second);
        second.leads_to(third);
        third.leads_to(second);
        let messages = cause_messages(first);
        let (last, before) = messages.split_last().unwrap();
        assert_eq!(last, CYCLE);
        assert!(as_texts(before).starts_with(&["b", "c"]) && before.len() <= 4, "{before:?}");
    }

    #[test]
    fn long_chain_is_truncated() {
        let links: Vec<_> = (0..1_000).map(|_| Link::new("a")).collect();
        for pair in links.windows(2) {
            pair[0].leads_to(pair[1]);
        }
        let messages = cause_messages(links[0]);
        assert_eq!(messages.len(), MAX_CAUSES + 1);
        assert_eq!(messages[MAX_CAUSES], "more than 256 causes");
        assert_eq!(cause_messages(links[1_000 - MAX_CAUSES - 1]).len(), MAX_CAUSES);
    }

    /// An error whose first field is its cause.
    #[derive(Debug)]
    struct Around(Link);

    impl fmt::Display for Around {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("around")
        }
    }

    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn first_field_of_an_error_can_be_its_cause() {
        let around = Around(Link { name: "within", next: OnceLock::new() });
        assert_eq!(cause_messages(&around), ["within"]);
    }

    #[test]
    fn error_and_its_causes_fit_on_one_line() {
        let (first, second, third) = (Link::new("a"), Link::new("b"), Link::new("c"));
        first.leads_to(second);
        second.leads_to(third);
        assert_eq!(one_line(first), "a: b: c");
        assert_eq!(one_line(third), "c");
    }

    #[test]
    fn cause_without_fields_is_not_its_error() {
        assert_eq!(cause_messages(&Outer), ["inner"]);
    }
}
