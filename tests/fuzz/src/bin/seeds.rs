//! Writes the seeds of a target to a directory: `seeds TARGET DIRECTORY`.

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(directory), None) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(std::io::Error::other("usage: seeds TARGET DIRECTORY"));
    };
    std::fs::create_dir_all(&directory)?;
    for (number, seed) in (fuzz_targets::target(&name).seeds)().iter().enumerate() {
        std::fs::write(format!("{directory}/seed-{number}"), seed)?;
    }
    Ok(())
}
