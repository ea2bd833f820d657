/// A pattern of names. `*` matches any text, including slashes and the empty text.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        // `split` always returns a first part.
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let mut parts = parts.peekable();
        let mut is_exact = true;
        while let Some(part) = parts.next() {
            is_exact = false;
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        is_exact && rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_matches_any_text() {
        for (pattern, yes, no) in [
            ("a/b", vec!["a/b"], vec!["a/bc", "xa/b", ""]),
            ("*", vec!["", "a", "a/b"], vec![]),
            ("runs/*", vec!["runs/", "runs/a/b"], vec!["run", "x/runs/a"]),
            ("*/manifest", vec!["/manifest", "runs/a/manifest"], vec!["manifest", "a/manifest/b"]),
            ("a*b*c", vec!["abc", "a-b-b-c"], vec!["ac", "acb", "abcd"]),
            ("ab*ba", vec!["abba"], vec!["aba"]),
            ("", vec![""], vec!["a"]),
        ] {
            let parsed = Pattern::new(pattern);
            for name in yes {
                assert!(parsed.matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!parsed.matches(name), "{pattern} {name}");
            }
        }
    }
}
