//! Draws a part of the Mandelbrot set, tile by tile.

/// The side of a tile, in pixels.
pub const SIDE: u32 = 64;

/// Draws the tile at `column` and `row` of a picture that is `tiles` tiles wide and high: three bytes for each pixel.
#[hype::function]
pub fn tile(column: u32, row: u32, tiles: u32) -> Vec<u8> {
    let pixel = 0.0028 / f64::from(tiles * SIDE);
    let draw = |position| {
        let x = -0.7449 + pixel * f64::from(column * SIDE + position % SIDE);
        let y = 0.1304 + pixel * f64::from(row * SIDE + position / SIDE);
        color(escape(x, y))
    };
    (0..SIDE * SIDE).flat_map(draw).collect()
}

/// Returns the number of steps, with a fraction, in which the point escapes; `None` if it stays.
fn escape(x: f64, y: f64) -> Option<f64> {
    let (mut real, mut imaginary) = (0.0_f64, 0.0_f64);
    for step in 0..2000 {
        let length = real * real + imaginary * imaginary;
        if length > 1e4 {
            return Some(f64::from(step) - length.ln().log2());
        }
        (real, imaginary) = (real * real - imaginary * imaginary + x, 2.0 * real * imaginary + y);
    }
    None
}

fn color(steps: Option<f64>) -> [u8; 3] {
    let Some(steps) = steps else { return [0; 3] };
    let wave = |phase: f64| 127.5 - 127.5 * (steps.max(1.0).ln() * 3.0 + phase).cos();
    [wave(0.2), wave(0.7), wave(1.5)].map(|part| part as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_has_all_its_pixels_in_color() {
        let pixels = tile::call(1, 2, 4);
        assert_eq!(pixels.len() as u32, 3 * SIDE * SIDE);
        assert!(pixels.iter().any(|part| *part > 0));
        assert_ne!(pixels, tile::call(2, 1, 4));
    }
}
