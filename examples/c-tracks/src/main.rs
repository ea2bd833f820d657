//! Calls a function in C, with types of the compiler: `cargo hype run -p c-tracks`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;

hype::component!("wit/tracks.wit");

use lines::{Point, Problem, simplify};

#[hype::main]
async fn main() -> anyhow::Result<()> {
    // A walk along two sides of a square, which swerves by up to a metre.
    let swerve = |step: u32| (f64::from(step) / 7.0).sin();
    let east = (0..100).map(|step| Point { x: step.into(), y: swerve(step) });
    let north = (0..100).map(|step| Point { x: 100.0 + swerve(step), y: step.into() });
    let walk: Vec<_> = east.chain(north).collect();

    let line = simplify(walk, 2.0).await?;
    println!("{} points, {:.1} m", line.points.len(), line.length);
    for Point { x, y } in line.points {
        println!("{x:.1} {y:.1}");
    }

    // The error of a function is a value, too.
    let point = |x| Point { x, y: 0.0 };
    let error = simplify(vec![point(1.0), point(f64::NAN)], 2.0).await.err();
    let error = error.context("NaN is on no line")?;
    let problem: Problem = error.failure().context("the function failed")?.value()?;
    println!("{problem:?}");
    Ok(())
}
