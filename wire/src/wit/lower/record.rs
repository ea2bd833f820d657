//! Records.

use crate::spelling::find;
use crate::value::Head;
use crate::wit::layout::{Field, Kind, Layout, Name};
use crate::wit::lower::{Lowering, Outcome, found_in, mismatch, part};
use crate::wit::memory::GuestMemory;
use crate::wit::render::quoted;

impl<M: GuestMemory> Lowering<'_, '_, M> {
    pub(super) fn record(&mut self, of: &Layout, fields: &[Field], out: &mut [u8]) -> Outcome<M> {
        let before = self.rest();
        let length = match self.decoder.head()? {
            Head::Map(length) => length,
            Head::List(length) if length == fields.len() => {
                for field in fields {
                    self.field(field, out)?;
                }
                return Ok(());
            }
            _ => return mismatch(of, before),
        };
        // Entries in the order of the fields need no search.
        let in_order = length.min(fields.len());
        let mut next = 0;
        while let Some(field) = fields.get(next).filter(|_| next < in_order)
            && let Some(rest) = field.name.strip_from(self.rest())
        {
            self.decoder.advance_to(rest);
            self.field(field, out)?;
            next += 1;
        }
        if next == length && next == fields.len() {
            return Ok(());
        }
        self.unordered(of, fields, next, length - next, out)
    }

    /// Reads the other entries of a record, whose first `read` fields are read.
    #[inline(never)]
    fn unordered(
        &mut self,
        of: &Layout,
        fields: &[Field],
        read: usize,
        left: usize,
        out: &mut [u8],
    ) -> Outcome<M> {
        let mut is_read = vec![false; fields.len()];
        is_read.iter_mut().take(read).for_each(|is_read| *is_read = true);
        for _ in 0..left {
            let before = self.rest();
            let Some(name) = self.decoder.take_text()? else {
                return mismatch(of, before);
            };
            let index = find(fields.iter().map(|field| &*field.name.text), name);
            let found = index.and_then(|index| fields.get(index).zip(is_read.get_mut(index)));
            match found {
                Some((field, is_read)) if !*is_read => {
                    *is_read = true;
                    self.field(field, out)?;
                }
                Some(_) => return Err(found_in(of, &format!("the field {} twice", quoted(name)))),
                None => return Err(found_in(of, &format!("the unknown field {}", quoted(name)))),
            }
        }
        let is_required = |field: &&Field| !matches!(field.of.kind, Kind::Option { .. });
        let missing = fields.iter().zip(is_read).filter(|(_, is_read)| !is_read);
        match missing.map(|(field, _)| field).find(is_required) {
            Some(field) => {
                Err(found_in(of, &format!("one without the field {:?}", field.name.text)))
            }
            None => Ok(()),
        }
    }

    #[inline]
    fn field(&mut self, Field { name, at, of }: &Field, out: &mut [u8]) -> Outcome<M> {
        let out = part(out, *at, of);
        let written = if self.is_typed { self.argument(of, out) } else { self.value(of, out) };
        written.map_err(|it| it.at_name(&name.text))
    }
}

impl Name {
    /// Returns the input behind the name, in kebab- or snake-case, if it comes next.
    #[inline]
    fn strip_from<'de>(&self, bytes: &'de [u8]) -> Option<&'de [u8]> {
        let (encoded, rest) = bytes.split_at_checked(self.encoded.len())?;
        let is_same = |(wit, given): (&u8, &u8)| wit == given || (*wit == b'-' && *given == b'_');
        if encoded == self.encoded {
            return Some(rest);
        }
        // The head, which holds the length, is compared exactly.
        let head = self.encoded.len().checked_sub(self.text.len())?;
        let (wit, given) = (self.encoded.split_at(head), encoded.split_at(head));
        (wit.0 == given.0 && wit.1.iter().zip(given.1).all(is_same)).then_some(rest)
    }
}
