//! The second pass over a result: writes it as JSON while reading it.

use std::io::{self, Write};

use crate::json::escaped::escaped;
use crate::json::numbers::{not_in_json, number_text, write_number};
use crate::json::some;
use crate::json::survey::{Form, Survey};
use crate::json::tokens::{Token, Tokens};

/// Writes the MessagePack of a value as JSON on one line; `survey` is the result of the first pass.
///
/// # Errors
///
/// If writing to `out` fails.
pub(crate) fn write(value: &[u8], survey: &Survey, out: &mut impl Write) -> io::Result<()> {
    Writer { tokens: Tokens(value), forms: survey.forms.iter(), out }.value()
}

struct Writer<'a, W> {
    tokens: Tokens<'a>,
    /// The forms of the remaining maps.
    forms: std::slice::Iter<'a, Form>,
    out: &'a mut W,
}

impl<'a, W: Write> Writer<'a, W> {
    fn value(&mut self) -> io::Result<()> {
        let token = self.next()?;
        match token {
            Token::Nil => self.out.write_all(b"null"),
            Token::Some(levels) => {
                (0..levels).try_for_each(|_| write!(self.out, "{{\"{}\":", some::KEY))?;
                self.out.write_all(b"null")?;
                (0..levels).try_for_each(|_| self.out.write_all(b"}"))
            }
            Token::Bool(value) => {
                serde_json::to_writer(&mut *self.out, &value).map_err(io::Error::from)
            }
            Token::Text(text) => self.string(text),
            Token::Bytes(bytes) => self.list(bytes.len(), |writer, index| {
                let byte = bytes.get(index).copied().unwrap_or_default();
                write_number(Token::Unsigned(byte.into()), writer.out)
            }),
            Token::List(length) => self.list(length as usize, |writer, _| writer.value()),
            Token::Map(length) => match self.forms.next() {
                Some(Form::Pairs) | None => self.list(length as usize, |writer, _| writer.pair()),
                Some(form) => self.object(length, *form),
            },
            number => match not_in_json(number) {
                Some(text) => write!(self.out, "\"{text}\""),
                None => write_number(number, self.out),
            },
        }
    }

    fn list(
        &mut self,
        length: usize,
        mut item: impl FnMut(&mut Self, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        self.out.write_all(b"[")?;
        for index in 0..length {
            if index > 0 {
                self.out.write_all(b",")?;
            }
            item(self, index)?;
        }
        self.out.write_all(b"]")
    }

    fn pair(&mut self) -> io::Result<()> {
        self.list(2, |writer, _| writer.value())
    }

    fn object(&mut self, length: u32, form: Form) -> io::Result<()> {
        self.out.write_all(b"{")?;
        for index in 0..length {
            if index > 0 {
                self.out.write_all(b",")?;
            }
            self.key(form)?;
            self.out.write_all(b":")?;
            self.value()?;
        }
        self.out.write_all(b"}")
    }

    fn key(&mut self, form: Form) -> io::Result<()> {
        match self.next()? {
            Token::Text(key) if form == Form::Escaped => self.string(&format!("${key}")),
            Token::Text(key) => self.string(key),
            Token::Bool(key) => write!(self.out, "\"{key}\""),
            key => write!(self.out, "\"{}\"", number_text(key).unwrap_or_default()),
        }
    }

    fn string(&mut self, text: &str) -> io::Result<()> {
        let json = serde_json::to_string(text)?;
        self.out.write_all(escaped(&json).as_bytes())
    }

    fn next(&mut self) -> io::Result<Token<'a>> {
        self.tokens.next().map_err(io::Error::other)
    }
}
