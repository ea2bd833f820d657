//! Functions that only compute. Each generates its input itself, so that no transfer is measured, and returns a number
//! that depends on the whole input.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Computes the SHA-256 of `mebibytes` MiB with the code in this file, the same natively and in WebAssembly.
#[hype::function]
pub fn sha256(mebibytes: usize) -> u64 {
    let input = bytes(mebibytes);
    let mut state = INITIAL;
    let mut blocks = input.chunks_exact(64);
    for block in &mut blocks {
        compress(&mut state, block);
    }
    let mut last = blocks.remainder().to_vec();
    last.push(0x80);
    last.resize((last.len() + 8).next_multiple_of(64) - 8, 0);
    last.extend((input.len() as u64 * 8).to_be_bytes());
    last.chunks_exact(64).for_each(|block| compress(&mut state, block));
    u64::from(state[0]) << 32 | u64::from(state[1])
}

/// Computes the SHA-256 of `mebibytes` MiB with the crate `sha2`, which natively uses the processor's SHA instructions.
#[hype::function]
pub fn sha256_of_the_crate(mebibytes: usize) -> u64 {
    let digest = Sha256::digest(bytes(mebibytes));
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Multiplies two matrices of `side` × `side`, and returns the sum of the product's elements.
#[hype::function]
pub fn matrix(side: usize) -> f64 {
    let make = |seed: u64| -> Vec<f64> {
        let count = (side * side) as u64;
        (0..count).map(|index| ((index * seed) % 1000) as f64 / 1000.0).collect()
    };
    let (left, right) = (make(7919), make(104_729));
    let mut product = vec![0.0; side * side];
    for (row, out) in left.chunks_exact(side).zip(product.chunks_exact_mut(side)) {
        for (factor, line) in row.iter().zip(right.chunks_exact(side)) {
            for (sum, value) in out.iter_mut().zip(line) {
                *sum += factor * value;
            }
        }
    }
    product.iter().sum()
}

/// Computes `steps` numbers of the generator xorshift64, like `../../peers/tasks.py`, and returns the last.
#[hype::function]
pub fn spin(steps: u64) -> u64 {
    let mut state: u64 = 88_172_645_463_325_252;
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    state
}

/// Counts the words of a text of `kibibytes` KiB, and returns the sum of the squared counts.
#[hype::function]
pub fn words(kibibytes: usize) -> u64 {
    let text = text(kibibytes << 10);
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for word in text.split_ascii_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    counts.values().map(|count| count * count).sum()
}

/// Parses a JSON document of about `kibibytes` KiB, and returns the number of its values.
#[hype::function]
pub fn json(kibibytes: usize) -> usize {
    let record = r#"{"id":48151623,"name":"a \"quoted\" name","tags":["one","two","three"],"at":[12.5,-7.25e1],"ok":true,"none":null}"#;
    let records = (kibibytes << 10) / (record.len() + 1);
    let document = format!("[{}]", vec![record; records].join(","));
    serde_json::from_str(&document).map_or(0, |value| count(&value))
}

/// Writes `number` files of 4 KiB to a directory in `/tmp`, reads and removes them, and returns the number of bytes read.
#[hype::function]
pub fn temporary_files(number: usize) -> std::io::Result<usize> {
    let directory = std::path::Path::new("/tmp/hype-benches");
    std::fs::create_dir_all(directory)?;
    let mut read = 0;
    for file in 0..number {
        let path = directory.join(file.to_string());
        std::fs::write(&path, [1; 4096])?;
        read += std::fs::read(&path)?.len();
        std::fs::remove_file(&path)?;
    }
    std::fs::remove_dir(directory)?;
    Ok(read)
}

fn count(value: &serde_json::Value) -> usize {
    use serde_json::Value::{Array, Object};
    match value {
        Array(values) => 1 + values.iter().map(count).sum::<usize>(),
        Object(values) => 1 + values.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn bytes(mebibytes: usize) -> Vec<u8> {
    (0..(mebibytes as u32) << 18)
        .flat_map(|index| index.wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect()
}

fn text(length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut state = 1u32;
    while text.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // A few words are frequent and many are rare, as in a natural language.
        let word = (state >> 8) % ((state >> 16) % 4096 + 1);
        text.extend(["w", LETTERS[word as usize % 16], LETTERS[word as usize / 16 % 16]]);
        text.extend([LETTERS[word as usize / 256], " "]);
    }
    text
}

const LETTERS: [&str; 16] =
    ["a", "be", "co", "di", "e", "fa", "gu", "ho", "i", "ka", "lo", "mu", "na", "or", "pi", "qua"];

const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut schedule = [0u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for index in 16..64 {
        let (early, late) = (schedule[index - 15], schedule[index - 2]);
        let low = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
        let high = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
        schedule[index] = schedule[index - 16]
            .wrapping_add(low)
            .wrapping_add(schedule[index - 7])
            .wrapping_add(high);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in schedule.iter().zip(CONSTANTS) {
        let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one =
            h.wrapping_add(high).wrapping_add(choice).wrapping_add(constant).wrapping_add(*word);
        let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = low.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(one));
        (d, c, b, a) = (c, b, a, one.wrapping_add(two));
    }
    for (sum, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(word);
    }
}

#[rustfmt::skip]
const CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sha256_implementations_agree() {
        assert_eq!(sha256::call(1), sha256_of_the_crate::call(1));
        assert_eq!(sha256::call(0), 0xe3b0_c442_98fc_1c14);
    }

    #[test]
    fn matrix_product_is_correct() {
        let make = |seed: usize, index: usize| ((index * seed) % 1000) as f64 / 1000.0;
        let expected: f64 = (0..2)
            .flat_map(|row| (0..2).map(move |column| (row, column)))
            .flat_map(|(row, column)| (0..2).map(move |at| (row * 2 + at, at * 2 + column)))
            .map(|(left, right)| make(7919, left) * make(104_729, right))
            .sum();
        assert!((matrix::call(2) - expected).abs() < 1e-9);
    }

    #[test]
    fn spin_returns_the_numbers_of_xorshift64() {
        // As `tasks.py` returns them.
        assert_eq!(spin::call(1), 8_748_534_153_485_358_512);
        assert_eq!(spin::call(1000), 1_363_160_026_601_443_621);
    }

    #[test]
    fn json_values_are_counted() {
        // The list, and for each record: itself, six values, three tags and two numbers.
        let values = json::call(1);
        assert!(values > 12 && values % 12 == 1, "{values}");
    }
}
