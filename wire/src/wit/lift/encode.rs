//! The MessagePack of numbers, and of the heads of lists and maps.

use crate::wit::lift::Lifting;

impl<M> Lifting<'_, M> {
    #[inline]
    pub(super) fn unsigned(&mut self, number: u64) {
        if number < 0x80 {
            self.out.push(number as u8);
        } else if let Ok(number) = u8::try_from(number) {
            self.out.extend_from_slice(&[0xcc, number]);
        } else if let Ok(number) = u16::try_from(number) {
            let [a, b] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xcd, a, b]);
        } else if let Ok(number) = u32::try_from(number) {
            let [a, b, c, d] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xce, a, b, c, d]);
        } else {
            let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xcf, a, b, c, d, e, f, g, h]);
        }
    }

    #[inline]
    pub(super) fn signed(&mut self, number: i64) {
        if let Ok(number) = u64::try_from(number) {
            self.unsigned(number);
        } else if number >= -0x20 {
            self.out.push(number as u8);
        } else if let Ok(number) = i8::try_from(number) {
            self.out.extend_from_slice(&[0xd0, number as u8]);
        } else if let Ok(number) = i16::try_from(number) {
            let [a, b] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xd1, a, b]);
        } else if let Ok(number) = i32::try_from(number) {
            let [a, b, c, d] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xd2, a, b, c, d]);
        } else {
            let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
            self.out.extend_from_slice(&[0xd3, a, b, c, d, e, f, g, h]);
        }
    }

    #[inline]
    pub(super) fn float<const N: usize>(&mut self, marker: u8, bytes: [u8; N]) {
        self.out.push(marker);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn list_head(&mut self, length: usize) {
        self.head(length, 0x90, [0xdc, 0xdd]);
    }

    pub(super) fn map_head(&mut self, length: usize) {
        self.head(length, 0x80, [0xde, 0xdf]);
    }

    fn head(&mut self, length: usize, short: u8, [middle, long]: [u8; 2]) {
        match length {
            0..0x10 => self.out.push(short | length as u8),
            0x10..0x1_0000 => {
                self.out.push(middle);
                self.out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                self.out.push(long);
                self.out.extend_from_slice(&(length as u32).to_be_bytes());
            }
        }
    }

    pub(super) fn bytes_head(&mut self, length: u32) {
        if let Ok(length) = u8::try_from(length) {
            self.out.extend_from_slice(&[0xc4, length]);
        } else if let Ok(length) = u16::try_from(length) {
            self.out.push(0xc5);
            self.out.extend_from_slice(&length.to_be_bytes());
        } else {
            self.out.push(0xc6);
            self.out.extend_from_slice(&length.to_be_bytes());
        }
    }
}
