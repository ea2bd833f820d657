//! The encoding of numbers in their shortest form.

use super::encode::Encoder;
use super::error::Result;

impl Encoder {
    /// Appends `bytes` at once. rmp appends a number's marker and its bytes separately, which takes twice
    /// as long.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<()> {
        self.out.as_mut_vec().extend_from_slice(&bytes);
        Ok(())
    }

    #[inline]
    pub(super) fn unsigned(&mut self, number: u64) -> Result<()> {
        if number < 0x80 {
            self.put([number as u8])
        } else if let Ok(number) = u8::try_from(number) {
            self.put([0xcc, number])
        } else if let Ok(number) = u16::try_from(number) {
            let [a, b] = number.to_be_bytes();
            self.put([0xcd, a, b])
        } else if let Ok(number) = u32::try_from(number) {
            let [a, b, c, d] = number.to_be_bytes();
            self.put([0xce, a, b, c, d])
        } else {
            let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
            self.put([0xcf, a, b, c, d, e, f, g, h])
        }
    }

    #[inline]
    pub(super) fn signed(&mut self, number: i64) -> Result<()> {
        if number >= -0x20 {
            match u64::try_from(number) {
                Ok(number) => self.unsigned(number),
                Err(_) => self.put([number as u8]),
            }
        } else if let Ok(number) = i8::try_from(number) {
            self.put([0xd0, number as u8])
        } else if let Ok(number) = i16::try_from(number) {
            let [a, b] = number.to_be_bytes();
            self.put([0xd1, a, b])
        } else if let Ok(number) = i32::try_from(number) {
            let [a, b, c, d] = number.to_be_bytes();
            self.put([0xd2, a, b, c, d])
        } else {
            let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
            self.put([0xd3, a, b, c, d, e, f, g, h])
        }
    }
}
