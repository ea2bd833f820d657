//! Selects a page of the object names in a bucket.

/// The parameters of a list request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// The delimiter that groups names into common prefixes.
    pub(crate) delimiter: String,
    /// The name after which the list starts.
    pub(crate) after: String,
    /// The last name of the previous page.
    pub(crate) continuation: Option<String>,
    /// The maximum number of names and prefixes in a page.
    pub(crate) max_keys: usize,
}

/// A page of objects and common prefixes, sorted by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) objects: Vec<(String, T)>,
    pub(crate) prefixes: Vec<String>,
    /// The continuation of the next page, if there is one.
    pub(crate) next: Option<String>,
}

/// Returns the requested page of `objects`, which must be sorted by name.
pub(crate) fn page<'a, T>(
    objects: impl Iterator<Item = (&'a String, T)>,
    query: &Query,
) -> Page<T> {
    let mut page = Page { objects: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last: Option<String> = None;
    for (name, object) in objects.filter(|(name, _)| is_requested(name, query)) {
        let prefix = prefix(name, query);
        if let Some(prefix) = prefix
            && (page.prefixes.last().is_some_and(|last| last == prefix)
                || query.continuation.as_deref() == Some(prefix))
        {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == query.max_keys {
            page.next = last;
            break;
        }
        last = Some(prefix.unwrap_or(name).to_owned());
        match prefix {
            Some(prefix) => page.prefixes.push(prefix.to_owned()),
            None => page.objects.push((name.clone(), object)),
        }
    }
    page
}

fn is_requested(name: &str, query: &Query) -> bool {
    name.starts_with(&query.prefix)
        && (query.after.is_empty() || *name > *query.after)
        && query.continuation.as_deref().is_none_or(|last| name > last)
}

/// Returns the common prefix that replaces `name` in the list, if it has the delimiter after the requested prefix.
fn prefix<'a>(name: &'a str, query: &Query) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let start = query.prefix.len();
    let found = name[start..].find(&query.delimiter)?;
    Some(&name[..start + found + query.delimiter.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["a", "a/b", "a/c/d", "a/c/e", "a/f", "b", "b/a", "b/b", "c"];

    /// Returns all pages, each as text with its names and prefixes.
    fn pages(query: Query) -> Vec<String> {
        let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        let mut query = query;
        let mut pages = Vec::new();
        loop {
            let page = page(names.iter().map(|name| (name, ())), &query);
            let objects = page.objects.into_iter().map(|(name, ())| name);
            let found: Vec<_> =
                objects.chain(page.prefixes.iter().map(|it| format!("[{it}]"))).collect();
            pages.push(found.join(" "));
            match page.next {
                Some(next) => query.continuation = Some(next),
                None => return pages,
            }
        }
    }

    fn query(prefix: &str, delimiter: &str, max_keys: usize) -> Query {
        let (prefix, delimiter) = (prefix.to_owned(), delimiter.to_owned());
        Query { prefix, delimiter, max_keys, ..Query::default() }
    }

    #[test]
    fn names_with_a_delimiter_are_grouped() {
        assert_eq!(pages(query("", "", 100)), [NAMES.join(" ")]);
        assert_eq!(pages(query("", "/", 100)), ["a b c [a/] [b/]"]);
        assert_eq!(pages(query("a/", "/", 100)), ["a/b a/f [a/c/]"]);
        assert_eq!(pages(query("a", "/", 100)), ["a [a/]"]);
        assert_eq!(pages(query("x", "/", 100)), [""]);
    }

    #[test]
    fn pages_are_full_and_complete() {
        assert_eq!(pages(query("", "", 3)), ["a a/b a/c/d", "a/c/e a/f b", "b/a b/b c"]);
        assert_eq!(pages(query("", "/", 2)), ["a [a/]", "b [b/]", "c"]);
        assert_eq!(pages(query("a/", "/", 1)), ["a/b", "[a/c/]", "a/f"]);
    }

    #[test]
    fn start_after_is_exclusive() {
        let after = |after: &str, delimiter: &str| {
            pages(Query { after: after.to_owned(), ..query("", delimiter, 100) })
        };
        assert_eq!(after("b", ""), ["b/a b/b c"]);
        assert_eq!(after("b/a", "/"), ["c [b/]"]);
        assert_eq!(after("c", ""), [""]);
    }
}
