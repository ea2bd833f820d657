//! Splits URLs and resolves redirects.

/// The parts of an absolute URL, without its fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UrlParts<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: &'a str,
    /// The path with the query; may be empty.
    pub(super) path: &'a str,
}

/// Splits `url` into its parts; returns `None` unless it is absolute.
pub(super) fn split(url: &str) -> Option<UrlParts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = without_fragment(rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let is_scheme = !scheme.is_empty()
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    (is_scheme && !authority.is_empty()).then_some(UrlParts { scheme, authority, path })
}

/// Resolves `location` relative to `base`, an absolute URL.
pub(super) fn join(base: &str, location: &str) -> Option<String> {
    let location = without_fragment(location.trim());
    if split(location).is_some() {
        return Some(location.to_owned());
    }
    let UrlParts { scheme, authority, path } = split(base)?;
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let base_path = path.split('?').next().unwrap_or_default();
    let path = match location.chars().next() {
        None => path.to_owned(),
        Some('/') => without_dots(location),
        Some('?') => format!("{base_path}{location}"),
        Some(_) => {
            let directory = base_path.rfind('/').map_or("/", |slash| &base_path[..=slash]);
            without_dots(&format!("{directory}{location}"))
        }
    };
    Some(format!("{scheme}://{authority}{path}"))
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

/// Resolves the segments `.` and `..` of a path with a query.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_urls_are_split() {
        let of = |url| split(url).map(|it| (it.scheme, it.authority, it.path));
        assert_eq!(
            of("http://a.example:81/b/c?d=e://f#g"),
            Some(("http", "a.example:81", "/b/c?d=e://f"))
        );
        assert_eq!(of("https://[::1]?q"), Some(("https", "[::1]", "?q")));
        for url in ["a.example/b", "/b", "http:///b", "://a", "a b://c", "?http://a.example/"] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn redirects_are_resolved_relative_to_the_base() {
        for (location, leads) in [
            ("https://b.example/x#y", "https://b.example/x"),
            ("//b.example/x", "http://b.example/x"),
            ("/x?y", "http://a.example/x?y"),
            ("x/./y/../z?q=..", "http://a.example/b/x/z?q=.."),
            ("../../../x", "http://a.example/x"),
            ("..", "http://a.example/"),
            (".", "http://a.example/b/"),
            ("?y", "http://a.example/b/c?y"),
            (" ", "http://a.example/b/c?d"),
            ("#y", "http://a.example/b/c?d"),
        ] {
            assert_eq!(
                join("http://a.example/b/c?d#e", location).as_deref(),
                Some(leads),
                "{location}"
            );
        }
        assert_eq!(join("http://a.example", "x").as_deref(), Some("http://a.example/x"));
    }
}
