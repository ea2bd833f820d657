//! Options, results, variants and flags.

use crate::spelling::find;
use crate::value::Head;
use crate::wit::layout::{Layout, Name};
use crate::wit::lower::{Lowering, Outcome, Problem, mismatch, part, put, put_discriminant};
use crate::wit::memory::GuestMemory;

impl<'de, M: GuestMemory> Lowering<'_, 'de, M> {
    pub(super) fn option(&mut self, payload_at: u32, some: &Layout, out: &mut [u8]) -> Outcome<M> {
        let is_some = match self.rest().first() {
            Some(0xc0 | 0xd4) => matches!(self.decoder.head()?, Head::Some),
            _ => true,
        };
        if is_some {
            put(out, &[1]);
            self.value(some, part(out, payload_at, some))?;
        }
        Ok(())
    }

    pub(super) fn result(
        &mut self,
        of: &Layout,
        payload_at: u32,
        ok: Option<&Layout>,
        err: Option<&Layout>,
        out: &mut [u8],
    ) -> Outcome<M> {
        let before = self.rest();
        let (name, has_content) = self.case_name(of)?;
        let (discriminant, payload) = match name {
            "Ok" | "ok" => (0, ok),
            "Err" | "err" => (1, err),
            _ => return mismatch(of, before),
        };
        put(out, &[discriminant]);
        self.content(of, before, name, has_content, payload, payload_at, out)
    }

    pub(super) fn variant(
        &mut self,
        of: &Layout,
        discriminant: u32,
        payload_at: u32,
        cases: &[(Name, Option<Layout>)],
        out: &mut [u8],
    ) -> Outcome<M> {
        let before = self.rest();
        let (name, has_content) = self.case_name(of)?;
        let Some(index) = find(cases.iter().map(|(name, _)| &*name.text), name) else {
            return mismatch(of, before);
        };
        put_discriminant(out, discriminant, index);
        let payload = cases.get(index).and_then(|(_, payload)| payload.as_ref());
        self.content(of, before, name, has_content, payload, payload_at, out)
    }

    /// Reads the name of a case: a text, or the only key of a map. Returns whether content follows.
    pub(super) fn case_name(&mut self, of: &Layout) -> Result<(&'de str, bool), Problem<M::Error>> {
        let before = self.rest();
        match self.decoder.head()? {
            Head::Text(name) => Ok((name, false)),
            Head::Map(1) => match self.decoder.take_text()? {
                Some(name) => Ok((name, true)),
                None => mismatch(of, before),
            },
            _ => mismatch(of, before),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a case")]
    fn content(
        &mut self,
        of: &Layout,
        before: &[u8],
        name: &str,
        has_content: bool,
        payload: Option<&Layout>,
        payload_at: u32,
        out: &mut [u8],
    ) -> Outcome<M> {
        match (payload, has_content) {
            (Some(payload), true) => {
                let out = part(out, payload_at, payload);
                self.value(payload, out).map_err(|it| it.at_name(name))
            }
            (None, true) => self.nothing(of).map_err(|it| it.at_name(name)),
            (Some(_), false) => mismatch(of, before),
            (None, false) => Ok(()),
        }
    }

    /// Reads the content of a case without content.
    pub(super) fn nothing(&mut self, of: &Layout) -> Outcome<M> {
        let before = self.rest();
        match self.decoder.head()? {
            Head::Nil => Ok(()),
            _ => mismatch(of, before),
        }
    }

    /// Reads flags: a list of names, or a map from names to booleans.
    pub(super) fn flags(&mut self, of: &Layout, names: &[Name], out: &mut [u8]) -> Outcome<M> {
        let before = self.rest();
        let (length, is_map) = match self.decoder.head()? {
            Head::List(length) => (length, false),
            Head::Map(length) => (length, true),
            _ => return mismatch(of, before),
        };
        for _ in 0..length {
            let before = self.rest();
            let name = self.decoder.take_text()?;
            let index = name.and_then(|name| find(names.iter().map(|name| &*name.text), name));
            let Some(index) = index else {
                return mismatch(of, before);
            };
            let before = self.rest();
            let is_set = match is_map.then(|| self.decoder.head()).transpose()? {
                None => true,
                Some(Head::Bool(is_set)) => is_set,
                Some(_) => return mismatch(of, before),
            };
            if let Some(byte) = out.get_mut(index / 8).filter(|_| is_set) {
                *byte |= 1 << (index % 8);
            }
        }
        Ok(())
    }
}
