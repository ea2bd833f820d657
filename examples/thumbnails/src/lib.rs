//! Creates thumbnails of pictures with the crate `image`, which doesn't depend on hype.

use std::io::Cursor;

use image::{ImageError, ImageFormat};

/// Shrinks a PNG such that its longer side has at most `side` pixels.
///
/// # Errors
///
/// If `png` is not a valid PNG.
#[hype::function]
pub fn thumbnail(png: Vec<u8>, side: u32) -> Result<Vec<u8>, ImageError> {
    let picture = image::load_from_memory_with_format(&png, ImageFormat::Png)?;
    // `thumbnail` would enlarge a smaller picture.
    let side = side.min(picture.width().max(picture.height()));
    let mut small = Cursor::new(Vec::new());
    picture.thumbnail(side, side).write_to(&mut small, ImageFormat::Png)?;
    Ok(small.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUNSET: &[u8] = include_bytes!("../images/sunset.png");

    fn size_of_thumbnail(side: u32) -> Result<(u32, u32), ImageError> {
        let small = thumbnail::call(SUNSET.to_vec(), side)?;
        let small = image::load_from_memory_with_format(&small, ImageFormat::Png)?;
        Ok((small.width(), small.height()))
    }

    #[test]
    fn longer_side_fits_and_small_pictures_keep_their_size() -> Result<(), ImageError> {
        assert_eq!(size_of_thumbnail(64)?, (64, 40));
        assert_eq!(size_of_thumbnail(1000)?, (320, 200));
        Ok(())
    }

    #[test]
    fn invalid_png_is_an_error() {
        assert!(thumbnail::call(SUNSET[..SUNSET.len() / 2].to_vec(), 64).is_err());
        assert!(thumbnail::call(b"no picture".to_vec(), 64).is_err());
    }
}
