//! Draws a picture in tiles, each of which is an item of a map: `cargo hype run -p render -- PICTURE.png [REPORT.html]`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;
use futures::StreamExt;
use image::RgbImage;
use image::imageops::replace;
use render::{SIDE, tile};

/// The number of tiles on each side of the picture.
const TILES: u32 = 16;

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("pass the path of the picture, such as picture.png")?;

    let submitter = hype::Submitter::ambient()?;
    let env = hype::RunEnvironment::new();
    let places = (0..TILES).flat_map(|row| (0..TILES).map(move |column| (column, row)));
    let tiles = places.clone().map(|(column, row)| tile(column, row, TILES));
    let mut tiles = submitter.try_map(tiles, &env);

    let mut picture = RgbImage::new(TILES * SIDE, TILES * SIDE);
    for (column, row) in places {
        let pixels = tiles.next().await.context("a tile is missing")??;
        let tile = RgbImage::from_raw(SIDE, SIDE, pixels).context("a tile has another size")?;
        replace(&mut picture, &tile, (column * SIDE).into(), (row * SIDE).into());
    }
    picture.save(&path).with_context(|| format!("cannot write {path}"))?;
    println!("{path}: {} tiles", tiles.report().items);
    if let Some(report) = arguments.next() {
        tiles.report().to_html(report)?;
    }
    Ok(())
}
