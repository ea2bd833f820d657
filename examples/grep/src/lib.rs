//! Finds lines in a text.

/// Returns the lines of `text` that contain `wanted`, with the name of the text and their numbers.
#[hype::function]
pub fn find(name: String, text: String, wanted: String) -> Vec<String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(&wanted));
    lines.map(|(number, line)| format!("{name}:{number}: {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_with_their_numbers() {
        let lines = find::call("a.txt".into(), "one\ntwo\nthree and one".into(), "one".into());
        assert_eq!(lines, ["a.txt:1: one", "a.txt:3: three and one"]);
    }
}
