//! The causes of an error, even of one that names itself as its cause.

use std::error::Error;

/// How many causes of an error are followed. An error could make a new one each time it is asked.
const MOST: usize = 256;

/// The last message in place of causes that were there before.
const ITS_OWN_CAUSE: &str = "and so on: an error of these is its own cause";

/// The causes of an error, the nearest first.
///
/// It ends before a cause that was there before, and after 256 causes. Which cause is the same is told by its
/// vtable too, of which the compiler may make several for a type: a cause may be there twice before it is known.
#[derive(Debug)]
pub struct Causes<'a> {
    next: Option<&'a (dyn Error + 'static)>,
    seen: Vec<&'a (dyn Error + 'a)>,
}

/// The causes of `error`.
pub fn causes<'a>(error: &'a (dyn Error + 'a)) -> Causes<'a> {
    Causes { next: error.source(), seen: vec![error] }
}

/// The messages of the causes of `error`. Where not all are followed, the last message says so.
pub fn cause_messages(error: &dyn Error) -> Vec<String> {
    let mut causes = causes(error);
    let mut messages: Vec<_> = causes.by_ref().map(ToString::to_string).collect();
    match causes.next {
        Some(_) if causes.is_full() => messages.push(format!("more than {MOST} causes")),
        Some(_) => messages.push(ITS_OWN_CAUSE.to_owned()),
        None => {}
    }
    messages
}

impl Causes<'_> {
    fn is_full(&self) -> bool {
        self.seen.len() > MOST
    }
}

impl<'a> Iterator for Causes<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let cause = self.next?;
        // An error shares its address with its first field, and types without fields with each other.
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

    /// An error whose cause is the next one of the ring, or none.
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

    /// Has no fields, like the causes of many errors.
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
    fn an_error_that_is_its_own_cause_ends() {
        let error = Link::new("a");
        error.leads_to(error);
        let messages = cause_messages(error);
        assert!([&[ITS_OWN_CAUSE][..], &["a", ITS_OWN_CAUSE]].contains(&&*as_texts(&messages)));
    }

    #[test]
    fn errors_that_cause_one_another_are_told_once() {
        let (first, second, third) = (Link::new("a"), Link::new("b"), Link::new("c"));
        first.leads_to(second);
        second.leads_to(third);
        third.leads_to(second);
        let messages = cause_messages(first);
        let (last, before) = messages.split_last().unwrap();
        assert_eq!(last, ITS_OWN_CAUSE);
        assert!(as_texts(before).starts_with(&["b", "c"]) && before.len() <= 4, "{before:?}");
    }

    #[test]
    fn a_long_chain_is_cut() {
        let links: Vec<_> = (0..1_000).map(|_| Link::new("a")).collect();
        for pair in links.windows(2) {
            pair[0].leads_to(pair[1]);
        }
        let messages = cause_messages(links[0]);
        assert_eq!(messages.len(), MOST + 1);
        assert_eq!(messages[MOST], "more than 256 causes");
        assert_eq!(cause_messages(links[1_000 - MOST - 1]).len(), MOST);
    }

    /// An error that has its cause as its first field.
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
    fn an_error_is_told_from_its_first_field() {
        let around = Around(Link { name: "within", next: OnceLock::new() });
        assert_eq!(cause_messages(&around), ["within"]);
    }

    #[test]
    fn errors_without_fields_are_told_apart() {
        assert_eq!(cause_messages(&Outer), ["inner"]);
    }
}
