//! What a person wrote is taken for what the type asks for.

use super::decode::Decoder;

/// What the decoder of a text argument knows of it, and may take things for.
#[derive(Default, Clone, Copy)]
pub(super) struct Lenience<'de> {
    /// Whether it is a text argument at all.
    pub(super) is_text_argument: bool,
    /// The MessagePack of the text, until it takes the place of the value.
    pub(super) text: &'de [u8],
    /// How much is left to read where the value begins.
    pub(super) text_at: usize,
    /// Whether the text may be what is meant where anything fits.
    pub(super) is_word: bool,
    /// Why the text took the place of the value.
    pub(super) taken_as: Option<TakenAs>,
    /// Whether the text is taken where anything fits, though there is a value.
    pub(super) prefers_text: bool,
    /// Whether texts are numbers where anything fits.
    pub(super) texts_are_numbers: bool,
    /// Whether lists of pairs are maps where anything fits.
    pub(super) pairs_are_maps: bool,
}

/// What a text was asked to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenAs {
    /// Text, of whatever form a type wants.
    Text,
    /// The name of a variant.
    Variant,
    /// Anything.
    Anything,
    /// A number that JSON doesn't have.
    Float,
}

/// What a text is where anything fits, and numbers are texts.
pub(super) enum Simple {
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

impl<'de> Decoder<'de> {
    /// Puts the text in the place of the value, if that comes next and the text can be `wanted`.
    #[cold]
    pub(super) fn take_text_argument(&mut self, wanted: TakenAs) -> bool {
        let Lenience { text, text_at, is_word, .. } = self.lenience;
        let fits = match wanted {
            TakenAs::Text => true,
            TakenAs::Variant | TakenAs::Anything | TakenAs::Float => is_word,
        };
        let takes = fits && !text.is_empty() && self.rest().len() == text_at;
        if takes {
            self.lenience.text = &[];
            self.lenience.taken_as = Some(wanted);
            self.advance_to(text);
        }
        takes
    }

    /// The same for the name of one of `variants`, which may also look like other JSON: `true`, `1`.
    #[cold]
    pub(super) fn take_variant(&mut self, variants: &[&str]) {
        let text = rmp::decode::read_str_from_slice(self.lenience.text);
        self.lenience.is_word |= text.is_ok_and(|(text, _)| variants.contains(&text));
        self.take_text_argument(TakenAs::Variant);
    }

    /// Whether all of the list of `length` elements that begins here are lists of two.
    #[cold]
    pub(super) fn is_map_of_pairs(&self, length: usize) -> bool {
        let mut rest = Decoder::new(self.rest());
        let mut is_pair =
            |_| rest.pair_head().is_ok() && rest.skip().is_ok() && rest.skip().is_ok();
        length > 0 && (0..length).all(&mut is_pair)
    }
}

/// What `text` is where anything fits and texts are numbers; `is_key` says whether it is a key.
#[cold]
pub(super) fn simple_in(text: &str, is_key: bool) -> Option<Simple> {
    if let Some(number) = not_in_json(text) {
        return Some(Simple::Float(number));
    }
    match text {
        _ if !is_key => None,
        "true" => Some(Simple::Bool(true)),
        "false" => Some(Simple::Bool(false)),
        text if !is_number(text) => None,
        text => {
            let unsigned = || text.parse().ok().map(Simple::Unsigned);
            let negative = || text.parse().ok().map(Simple::Negative);
            let float = || text.parse().ok().map(Simple::Float);
            unsigned().or_else(negative).or_else(float)
        }
    }
}

/// Whether a text that Rust reads as a number is one in JSON, too: one number has one text there.
pub(super) fn is_number(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0', b'0'..=b'9', ..] => false,
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

/// The number that JSON has only a text for.
pub(super) fn not_in_json(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
