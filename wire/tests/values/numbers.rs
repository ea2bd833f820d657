//! Whole numbers are written in their shortest form, and read in every form, whatever their type.

use std::fmt::Debug;

use hype_wire::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Numbers around all places where the form changes.
fn around_the_limits() -> impl Iterator<Item = i128> {
    let powers = (0..=64).map(|bits| 1_i128 << bits);
    powers.flat_map(|power| [power - 1, power, power + 1]).flat_map(|number| [number, -number])
}

/// The shortest form of `number`, as rmp writes it.
fn shortest(number: i128) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u64::try_from(number) {
        Ok(number) => rmp::encode::write_uint(&mut bytes, number).unwrap(),
        Err(_) => rmp::encode::write_sint(&mut bytes, number.try_into().unwrap()).unwrap(),
    };
    bytes
}

fn each_is_short<T: TryFrom<i128> + Serialize + Copy>() {
    for number in around_the_limits() {
        if let Ok(value) = T::try_from(number) {
            assert_eq!(codec::to_vec(&value).unwrap(), shortest(number), "{number}");
        }
    }
}

#[test]
fn writer_uses_the_shortest_form() {
    each_is_short::<u8>();
    each_is_short::<u16>();
    each_is_short::<u32>();
    each_is_short::<u64>();
    each_is_short::<i8>();
    each_is_short::<i16>();
    each_is_short::<i32>();
    each_is_short::<i64>();
}

/// All forms that MessagePack has for `number`.
fn forms(number: i8) -> Vec<Vec<u8>> {
    let signed = i64::from(number).to_be_bytes();
    let markers: &[u8] = if number < 0 { &[0xd0] } else { &[0xcc, 0xd0] };
    let wide = |marker: u8, width: usize| {
        [&[marker + width.trailing_zeros() as u8][..], &signed[8 - width..]].concat()
    };
    let widths = [1, 2, 4, 8].into_iter();
    let forms = widths.flat_map(|width| markers.iter().map(move |marker| wide(*marker, width)));
    forms.chain([signed[7..].to_vec()]).collect()
}

fn each_is_read<T: TryFrom<i8> + DeserializeOwned + PartialEq + Debug + Copy>(number: i8) {
    let expected = T::try_from(number).ok().unwrap();
    for form in forms(number) {
        // What follows shows that as much was read as there is.
        let bytes = [&[0x93][..], &form, &form, &[7]].concat();
        let read = codec::from_slice::<(T, T, u8)>(&bytes);
        assert_eq!(read.unwrap(), (expected, expected, 7), "{form:x?}");
    }
}

#[test]
fn reader_takes_every_form() {
    each_is_read::<u8>(5);
    each_is_read::<u16>(5);
    each_is_read::<u32>(5);
    each_is_read::<u64>(5);
    for number in [5, -5] {
        each_is_read::<i8>(number);
        each_is_read::<i16>(number);
        each_is_read::<i32>(number);
        each_is_read::<i64>(number);
    }
}
