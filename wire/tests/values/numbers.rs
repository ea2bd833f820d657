//! Whole numbers of every type are encoded in their shortest form and decoded from every form.

use std::fmt::Debug;

use hype_wire::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Numbers around every bound at which the encoding changes.
fn boundary_numbers() -> impl Iterator<Item = i128> {
    let powers = (0..=64).map(|bits| 1_i128 << bits);
    powers.flat_map(|power| [power - 1, power, power + 1]).flat_map(|number| [number, -number])
}

/// The shortest encoding of `number` by rmp.
fn shortest(number: i128) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u64::try_from(number) {
        Ok(number) => rmp::encode::write_uint(&mut bytes, number).unwrap(),
        Err(_) => rmp::encode::write_sint(&mut bytes, number.try_into().unwrap()).unwrap(),
    };
    bytes
}

fn assert_shortest<T: TryFrom<i128> + Serialize + Copy>() {
    for number in boundary_numbers() {
        if let Ok(value) = T::try_from(number) {
            assert_eq!(codec::to_vec(&value).unwrap(), shortest(number), "{number}");
        }
    }
}

#[test]
fn encoder_uses_the_shortest_form() {
    assert_shortest::<u8>();
    assert_shortest::<u16>();
    assert_shortest::<u32>();
    assert_shortest::<u64>();
    assert_shortest::<i8>();
    assert_shortest::<i16>();
    assert_shortest::<i32>();
    assert_shortest::<i64>();
}

/// All encodings of `number` in MessagePack.
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

fn assert_decodes<T: TryFrom<i8> + DeserializeOwned + PartialEq + Debug + Copy>(number: i8) {
    let expected = T::try_from(number).ok().unwrap();
    for form in forms(number) {
        // The next elements prove that the decoder consumes the whole form.
        let bytes = [&[0x93][..], &form, &form, &[7]].concat();
        let read = codec::from_slice::<(T, T, u8)>(&bytes);
        assert_eq!(read.unwrap(), (expected, expected, 7), "{form:x?}");
    }
}

#[test]
fn decoder_accepts_every_form() {
    assert_decodes::<u8>(5);
    assert_decodes::<u16>(5);
    assert_decodes::<u32>(5);
    assert_decodes::<u64>(5);
    for number in [5, -5] {
        assert_decodes::<i8>(number);
        assert_decodes::<i16>(number);
        assert_decodes::<i32>(number);
        assert_decodes::<i64>(number);
    }
}
