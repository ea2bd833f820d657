//! Lenient decoding of text arguments, which follows the type that the guest requests.

use super::decode::Decoder;

/// The state of decoding a text argument, and the permitted interpretations.
#[derive(Default, Clone, Copy)]
pub(super) struct Lenience<'de> {
    /// Whether the input is a text argument.
    pub(super) is_text_argument: bool,
    /// Whether the values of fields may be text arguments.
    pub(super) is_record: bool,
    /// The MessagePack of the text, until it replaces the value.
    pub(super) text: &'de [u8],
    /// The remaining length of the input at the start of the value.
    pub(super) text_at: usize,
    /// Whether a type that accepts anything may get the text.
    pub(super) is_word: bool,
    /// The role in which the text replaced the value.
    pub(super) taken_as: Option<TakenAs>,
    /// Whether a type that accepts anything gets the text instead of the JSON value.
    pub(super) prefers_text: bool,
    /// Whether a type that accepts anything gets texts of numbers as numbers.
    pub(super) texts_are_numbers: bool,
    /// Whether a type that accepts anything gets lists of pairs as maps.
    pub(super) pairs_are_maps: bool,
}

/// The role in which a text is decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenAs {
    /// A type that is read from text.
    Text,
    /// The name of a variant.
    Variant,
    /// A type that accepts anything.
    Anything,
    /// A number that JSON can't express.
    Float,
}

/// A number or a boolean that is written as text.
pub(super) enum Scalar {
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

impl<'de> Decoder<'de> {
    /// Replaces the value by the text, if the value comes next and the text fits the role. Returns whether
    /// it did.
    #[cold]
    pub(super) fn take_text_argument(&mut self, role: TakenAs) -> bool {
        let Lenience { text, text_at, is_word, prefers_text, .. } = self.lenience;
        let fits = match role {
            TakenAs::Text => true,
            TakenAs::Anything => is_word || prefers_text,
            TakenAs::Variant | TakenAs::Float => is_word,
        };
        let takes = fits && !text.is_empty() && self.rest().len() == text_at;
        if takes {
            self.lenience.text = &[];
            self.lenience.taken_as = Some(role);
            self.advance_to(text);
        }
        takes
    }

    /// Replaces the value by the text if the text names one of `variants`, even if it is JSON, such as
    /// `true`.
    #[cold]
    pub(super) fn take_variant_text(&mut self, variants: &[&str]) {
        let text = rmp::decode::read_str_from_slice(self.lenience.text);
        self.lenience.is_word |= text.is_ok_and(|(text, _)| variants.contains(&text));
        self.take_text_argument(TakenAs::Variant);
    }

    /// Returns whether the next `length` values are all lists of two.
    #[cold]
    pub(super) fn is_map_of_pairs(&self, length: usize) -> bool {
        let mut rest = Decoder::new(self.rest());
        let mut is_pair =
            |_| rest.pair_head().is_ok() && rest.skip().is_ok() && rest.skip().is_ok();
        length > 0 && (0..length).all(&mut is_pair)
    }
}

/// Parses the text of a number that JSON can't express, or a key that is the text of a number or a
/// boolean.
#[cold]
pub(super) fn parse_scalar(text: &str, is_key: bool) -> Option<Scalar> {
    if let Some(number) = parse_non_json_float(text) {
        return Some(Scalar::Float(number));
    }
    match text {
        _ if !is_key => None,
        "true" => Some(Scalar::Bool(true)),
        "false" => Some(Scalar::Bool(false)),
        text if !is_json_number(text) => None,
        text => {
            let unsigned = || text.parse().ok().map(Scalar::Unsigned);
            let negative = || text.parse().ok().map(Scalar::Negative);
            let float = || text.parse().ok().map(Scalar::Float);
            unsigned().or_else(negative).or_else(float)
        }
    }
}

/// Returns whether a text that Rust parses as a number starts like a number in JSON: with a digit, and
/// without leading zeros.
pub(super) fn is_json_number(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0', b'0'..=b'9', ..] => false,
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

/// Parses a float that JSON can't express.
pub(crate) fn parse_non_json_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
