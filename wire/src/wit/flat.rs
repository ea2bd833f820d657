//! Core values: the representation of a function's parameters and result outside of memory.

use crate::wit::layout::{Field, Kind, Layout};

/// Appends the core values of a value of the type `of` in `bytes`, which have its size.
///
/// Each core value is 64 bits; smaller ones are in the low bits, and the others are zero.
pub(super) fn flatten(of: &Layout, bytes: &[u8], out: &mut Vec<u64>) {
    let end = out.len() + of.flat;
    match &of.kind {
        Kind::String | Kind::List(_) => {
            out.push(word(bytes, 0, 4));
            out.push(word(bytes, 4, 4));
        }
        Kind::S8 => out.push(u64::from(i32::from(word(bytes, 0, 1) as i8) as u32)),
        Kind::S16 => out.push(u64::from(i32::from(word(bytes, 0, 2) as i16) as u32)),
        Kind::Tuple(types) => types.iter().for_each(|(at, of)| flatten(of, tail(bytes, *at), out)),
        Kind::Record(fields) => {
            fields.iter().for_each(|Field { at, of, .. }| flatten(of, tail(bytes, *at), out));
        }
        Kind::Flags(_) => {
            (0..of.flat).for_each(|index| out.push(word(bytes, 4 * index, 4.min(of.size as usize))))
        }
        Kind::Option { payload_at, some } => {
            let payloads = [None, Some(&**some)];
            sum(bytes, 1, *payload_at, |case| payloads.get(case).copied().flatten(), out);
        }
        Kind::Result { payload_at, ok, err } => {
            let payloads = [ok.as_deref(), err.as_deref()];
            sum(bytes, 1, *payload_at, |case| payloads.get(case).copied().flatten(), out);
        }
        Kind::Variant { discriminant, payload_at, cases } => {
            let payload = |case: usize| cases.get(case)?.1.as_ref();
            sum(bytes, *discriminant as usize, *payload_at, payload, out);
        }
        _ => out.push(word(bytes, 0, of.size as usize)),
    }
    // A case with fewer core values than the others.
    out.resize(end, 0);
}

fn sum<'l>(
    bytes: &[u8],
    discriminant: usize,
    payload_at: u32,
    payload: impl Fn(usize) -> Option<&'l Layout>,
    out: &mut Vec<u64>,
) {
    let case = word(bytes, 0, discriminant);
    out.push(case);
    if let Some(of) = payload(case as usize) {
        flatten(of, tail(bytes, payload_at), out);
    }
}

/// Returns the memory of a value of the type `of`, which has at most one core value. Only its first
/// `of.size` bytes are used.
pub(super) fn unflatten(of: &Layout, core: u64) -> [u8; 8] {
    let bits = 8 * of.size;
    // These types are an `i32`, above which the host leaves other bits.
    let beyond = (core as u32).checked_shr(bits).unwrap_or_default();
    // Integers of fewer than 32 bits wrap. A discriminant that doesn't fit must not become a valid one.
    match leaf(of) {
        Kind::Bool => u64::from(core as u32 != 0).to_le_bytes(),
        Kind::U8 | Kind::S8 | Kind::U16 | Kind::S16 | Kind::Flags(_) => core.to_le_bytes(),
        _ if beyond != 0 && of.size < 4 => u64::MAX.to_le_bytes(),
        _ => core.to_le_bytes(),
    }
}

/// Returns the only type with a core value inside of records and tuples.
fn leaf(of: &Layout) -> &Kind {
    let inner = match &of.kind {
        Kind::Tuple(types) => types.iter().map(|(_, of)| of).find(|of| of.flat == 1),
        Kind::Record(fields) => fields.iter().map(|field| &field.of).find(|of| of.flat == 1),
        kind => return kind,
    };
    inner.map_or(&of.kind, leaf)
}

/// Reads a number of `size` bytes at `at`.
fn word(bytes: &[u8], at: usize, size: usize) -> u64 {
    let bytes = bytes.get(at..at + size).unwrap_or_default();
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn tail(bytes: &[u8], at: u32) -> &[u8] {
    bytes.get(at as usize..).unwrap_or_default()
}
