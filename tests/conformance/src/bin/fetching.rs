//! A program whose closure gets a URL, which is all that it is granted.

use hype::RunEnvironment;
use test_guests::http::fetch;

#[hype::main]
async fn main() -> hype::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let hosts = url.trim_end_matches('/').to_owned();
    let (status, _, text) =
        fetch(url).in_env(&RunEnvironment::new().allow_http_private(hosts)).await?;
    eprintln!("got {status} {text}");
    Ok(())
}
