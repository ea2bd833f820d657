//! Arguments that a user typed as text.

use crate::error::Fault;
use crate::spelling::find;
use crate::text_argument::{BorrowedNotJson, EncodedTextArgument};
use crate::value::Error;
use crate::wit::layout::{Kind, Layout};
use crate::wit::lower::expected;

/// Returns the MessagePack that an argument which a user typed stands for: its JSON value, or its text.
pub(super) fn chosen<'de>(
    of: &Layout,
    typed: &EncodedTextArgument<'de>,
) -> Result<&'de [u8], Error> {
    let text = || rmp::decode::read_str_from_slice(typed.text).map_or("", |(text, _)| text);
    let names_case = match &of.kind {
        Kind::Option { some, .. } => {
            return match typed.value {
                Ok(nil @ [0xc0]) => Ok(nil),
                _ => chosen(some, typed),
            };
        }
        Kind::String | Kind::Char => {
            return Ok(match typed.value {
                Ok(record) if typed.is_record() => record,
                Ok(string @ [0xa0..=0xbf | 0xd9..=0xdb, ..]) => string,
                _ => typed.text,
            });
        }
        Kind::Enum { names, .. } => find(names.iter().map(|name| &*name.text), text()).is_some(),
        Kind::Variant { cases, .. } => {
            find(cases.iter().map(|(name, _)| &*name.text), text()).is_some()
        }
        _ => false,
    };
    match typed.value {
        Ok(value) if typed.is_record() => Ok(value),
        _ if names_case => Ok(typed.text),
        Ok(value) => Ok(value),
        Err(BorrowedNotJson { is_word: true, .. }) => Ok(typed.text),
        Err(BorrowedNotJson { problem, .. }) => Err(Error::new(
            Fault::Type,
            format!("expected {}; the argument {problem}", expected(of)),
        )),
    }
}
