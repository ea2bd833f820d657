#[hype::function]
pub(crate) fn read(path: String) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[hype::function(fallible)]
fn try_it() -> Outcome<()> {
    Ok(())
}

#[hype::function(value)]
fn play(game: Game) -> Result {
    Result::Draw
}
