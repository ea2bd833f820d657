//! A page of the names in a bucket.

/// What a list request asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// What ends the part of a name that is listed in place of all names with it.
    pub(crate) delimiter: String,
    /// Only what comes after this name.
    pub(crate) after: String,
    /// Where the page before ended.
    pub(crate) continuation: Option<String>,
    /// How many names and prefixes a page may have.
    pub(crate) max_keys: usize,
}

/// A part of what is there, in the order of the names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) objects: Vec<(String, T)>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
}

/// The page of `objects`, which are sorted by their names.
pub(crate) fn page<'a, T>(
    objects: impl Iterator<Item = (&'a String, T)>,
    query: &Query,
) -> Page<T> {
    let mut page = Page { objects: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last: Option<String> = None;
    for (name, object) in objects.filter(|(name, _)| is_asked(name, query)) {
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

fn is_asked(name: &str, query: &Query) -> bool {
    name.starts_with(&query.prefix)
        && (query.after.is_empty() || *name > *query.after)
        && query.continuation.as_deref().is_none_or(|last| name > last)
}

/// What is listed in place of `name`, if it has the delimiter behind the prefix that was asked for.
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

    /// All pages, each as its names and prefixes.
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
    fn names_with_a_delimiter_are_listed_as_one() {
        assert_eq!(pages(query("", "", 100)), [NAMES.join(" ")]);
        assert_eq!(pages(query("", "/", 100)), ["a b c [a/] [b/]"]);
        assert_eq!(pages(query("a/", "/", 100)), ["a/b a/f [a/c/]"]);
        assert_eq!(pages(query("a", "/", 100)), ["a [a/]"]);
        assert_eq!(pages(query("x", "/", 100)), [""]);
    }

    #[test]
    fn pages_are_full_and_lose_nothing() {
        assert_eq!(pages(query("", "", 3)), ["a a/b a/c/d", "a/c/e a/f b", "b/a b/b c"]);
        assert_eq!(pages(query("", "/", 2)), ["a [a/]", "b [b/]", "c"]);
        assert_eq!(pages(query("a/", "/", 1)), ["a/b", "[a/c/]", "a/f"]);
    }

    #[test]
    fn a_name_to_start_after_is_not_listed() {
        let after = |after: &str, delimiter: &str| {
            pages(Query { after: after.to_owned(), ..query("", delimiter, 100) })
        };
        assert_eq!(after("b", ""), ["b/a b/b c"]);
        assert_eq!(after("b/a", "/"), ["c [b/]"]);
        assert_eq!(after("c", ""), [""]);
    }
}
