//! Parses amounts in Kubernetes' notation, for use outside Kubernetes.

/// Parses a quantity: `"750m"` is 0.75, `"1.5Gi"` is 1.5 · 2³⁰. Returns `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<f64> {
    const SUFFIXES: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let suffixed = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| text.strip_suffix(suffix).map(|number| (number, *factor)));
    let (number, factor) = suffixed.unwrap_or((text, 1.0));
    let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = number.parse().ok().filter(|_| is_number)?;
    Some(number * factor).filter(|amount| amount.is_finite())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quantities_parse_as_in_kubernetes() {
        for (text, amount) in [
            ("2", 2.0),
            ("750m", 0.75),
            ("0.5", 0.5),
            ("1e3", 1000.0),
            ("64Mi", 67_108_864.0),
            ("1.5Gi", 1_610_612_736.0),
            ("129M", 129_000_000.0),
            ("1k", 1000.0),
        ] {
            assert_eq!(parse(text), Some(amount), "{text}");
        }
        for text in ["", "m", "Gi", "-1", "+1", "1 Gi", "1gi", "lots", "nan", "inf", "1e999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
