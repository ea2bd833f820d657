//! Names of WIT in the spellings of other languages.

/// Returns whether `name` spells the WIT name `wit`: in kebab-case, snake_case, camelCase,
/// PascalCase or SCREAMING_SNAKE_CASE.
pub(crate) fn is_spelling(wit: &str, name: &str) -> bool {
    is_separated(wit, name) || is_capitalized(wit, name)
}

/// Returns the index of the name in `names` that `name` spells. An exact match takes precedence.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn find<'a>(names: impl Iterator<Item = &'a str> + Clone, name: &str) -> Option<usize> {
    let exact = names.clone().position(|wit| wit == name);
    exact.or_else(|| names.into_iter().position(|wit| is_spelling(wit, name)))
}

/// Compares words that are separated by `-` or `_`.
fn is_separated(wit: &str, name: &str) -> bool {
    wit.len() == name.len()
        && wit.bytes().zip(name.bytes()).all(|(wit, name)| {
            if wit == b'-' { matches!(name, b'-' | b'_') } else { wit.eq_ignore_ascii_case(&name) }
        })
}

/// Compares words that begin with a capital letter, except for the first.
fn is_capitalized(wit: &str, name: &str) -> bool {
    let mut name = name.bytes();
    let mut begins_word = false;
    for wit in wit.bytes() {
        if wit == b'-' {
            begins_word = true;
            continue;
        }
        match name.next() {
            Some(given) if begins_word && given != wit.to_ascii_uppercase() => return false,
            Some(given) if given.eq_ignore_ascii_case(&wit) => begins_word = false,
            _ => return false,
        }
    }
    name.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognized_in_every_common_case() {
        for name in ["word-count", "word_count", "wordCount", "WordCount", "WORD_COUNT"] {
            assert!(is_spelling("word-count", name), "{name}");
        }
        for name in ["wordcount", "word count", "word-counts", "word", "Wordcount", ""] {
            assert!(!is_spelling("word-count", name), "{name}");
        }
        assert!(is_spelling("red", "Red") && is_spelling("get-HTTP", "get_http"));
    }

    #[test]
    fn exact_name_takes_precedence() {
        let names = ["A-b", "a-b"];
        assert_eq!(find(names.into_iter(), "a-b"), Some(1));
        assert_eq!(find(names.into_iter(), "a_b"), Some(0));
        assert_eq!(find(names.into_iter(), "c"), None);
    }
}
