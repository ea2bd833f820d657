//! The first pass over a result: validates it, and finds the form of each map and the numbers that JSON lacks.

use std::borrow::Cow;

use crate::json::numbers::{not_in_json, number_text};
use crate::json::some;
use crate::json::tokens::{Token, Tokens};

/// The maximum nesting depth of a value; hype's codec allows less.
const MAX_DEPTH: usize = 256;

/// The maximum number of map keys for which memory is allocated before they are read.
const MAX_PREALLOCATED_KEYS: u32 = 64;

/// The maximum number of positions that the warning names.
const MAX_NAMED: usize = 3;

/// The result of the first pass.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The form of each map, in the order of their MessagePack heads.
    pub(super) forms: Vec<Form>,
    named: Vec<String>,
    unnamed: usize,
}

/// The JSON form of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An object.
    Object,
    /// An object whose single key is escaped with another `$`.
    Escaped,
    /// A list of `[key, value]` pairs.
    Pairs,
}

/// Reads the MessagePack of a value.
///
/// # Errors
///
/// If the bytes aren't one MessagePack value, or contain a type without a form in JSON. The message is the end of a
/// sentence about the value.
pub(crate) fn survey(value: &[u8]) -> Result<Survey, String> {
    let mut surveyor =
        Surveyor { tokens: Tokens(value), path: Vec::new(), survey: Survey::default() };
    surveyor.value()?;
    match surveyor.tokens.0 {
        [] => Ok(surveyor.survey),
        _ => Err("is followed by more bytes".to_owned()),
    }
}

impl Survey {
    /// Returns a warning about numbers that JSON doesn't have, if any.
    pub(crate) fn warning(&self) -> Option<String> {
        let first = self.named.first()?;
        let others = self.named.iter().skip(1).map(|named| format!(", {named}"));
        let more = match self.unnamed {
            0 => String::new(),
            unnamed => format!(" and {unnamed} more"),
        };
        let (is, text) = if self.named.len() > 1 { ("are", "strings") } else { ("is", "a string") };
        let others: String = others.collect();
        Some(format!(
            "JSON has no NaN and no infinity: {first}{others}{more} {is} printed as {text}"
        ))
    }
}

struct Surveyor<'a> {
    tokens: Tokens<'a>,
    /// The path of the current value in the printed JSON.
    path: Vec<Step<'a>>,
    survey: Survey,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Item(u32),
    /// The value of a key that can be an object's key.
    Member(Token<'a>),
    /// The key of a pair.
    Key(u32),
    /// The value of a pair.
    Value(u32),
}

impl<'a> Surveyor<'a> {
    fn value(&mut self) -> Result<Token<'a>, String> {
        if self.path.len() > MAX_DEPTH {
            return Err(format!("nests deeper than {MAX_DEPTH} levels"));
        }
        let token = self.tokens.next()?;
        match token {
            Token::List(length) => {
                for index in 0..length {
                    self.inside(Step::Item(index))?;
                }
            }
            Token::Map(length) => {
                // Reserves the entry: maps inside this one come after it.
                let position = self.survey.forms.len();
                self.survey.forms.push(Form::Pairs);
                let form = self.map(length)?;
                if let Some(entry) = self.survey.forms.get_mut(position) {
                    *entry = form;
                }
            }
            token => {
                if let Some(number) = not_in_json(token) {
                    self.record(number);
                }
            }
        }
        Ok(token)
    }

    fn map(&mut self, length: u32) -> Result<Form, String> {
        let mut keys = Vec::with_capacity(length.min(MAX_PREALLOCATED_KEYS) as usize);
        let mut escaped = false;
        for index in 0..length {
            let key = { self.tokens }.next()?;
            let value = match key_text(key) {
                Some(text) => {
                    keys.push(text);
                    self.inside(Step::Member(key))?;
                    self.inside(Step::Member(key))?
                }
                None => {
                    self.inside(Step::Key(index))?;
                    self.inside(Step::Value(index))?
                }
            };
            escaped = match (key, value) {
                (Token::Text(key), Token::Nil | Token::Some(_)) => some::is_escapable(key),
                _ => false,
            };
        }
        keys.sort_unstable();
        let differ = |pair: &[(KeyType, Cow<str>)]| match pair {
            [(one_kind, one), (other_kind, other)] => one_kind == other_kind && one != other,
            _ => true,
        };
        Ok(if keys.len() < length as usize || !keys.windows(2).all(differ) {
            Form::Pairs
        } else if length == 1 && escaped {
            Form::Escaped
        } else {
            Form::Object
        })
    }

    fn inside(&mut self, step: Step<'a>) -> Result<Token<'a>, String> {
        self.path.push(step);
        let token = self.value()?;
        self.path.pop();
        Ok(token)
    }

    /// Records the position of a number that JSON doesn't have.
    fn record(&mut self, number: &str) {
        if self.survey.named.len() < MAX_NAMED {
            let path: String = self.path.iter().map(|step| step.text()).collect();
            let path = path.strip_prefix('.').unwrap_or(&path);
            self.survey.named.push(match path.is_empty() {
                true => number.to_owned(),
                false => format!("{number} at {path}"),
            });
        } else {
            self.survey.unnamed += 1;
        }
    }
}

impl Step<'_> {
    fn text(self) -> String {
        match self {
            Self::Item(index) => format!("[{index}]"),
            Self::Member(key) => {
                format!(".{}", key_text(key).map(|(_, text)| text).unwrap_or_default())
            }
            Self::Key(index) => format!("[{index}][0]"),
            Self::Value(index) => format!("[{index}][1]"),
        }
    }
}

/// The type of a key. All keys of an object have the same type, so that a reader can restore them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum KeyType {
    Text,
    Number,
    Bool,
}

/// Returns the type and the text of a key that can be an object's key.
fn key_text<'a>(key: Token<'a>) -> Option<(KeyType, Cow<'a, str>)> {
    Some(match key {
        Token::Text(text) => (KeyType::Text, text.into()),
        Token::Bool(value) => (KeyType::Bool, if value { "true" } else { "false" }.into()),
        key => (KeyType::Number, number_text(key)?.into()),
    })
}
