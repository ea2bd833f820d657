//! Reads pages of the Web in JavaScript: `cargo hype run -p javascript-pages -- URL`.

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use anyhow::Context;
use hype::RunEnvironment;

hype::component!("wit/pages.wit");

#[hype::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("pass the URL of a page")?;
    let (_, rest) = url.split_once("://").context("pass a URL")?;
    let host = rest.split('/').next().unwrap_or(rest);

    // The function may connect to this host alone, which may be on a private network.
    let env = RunEnvironment::new().allow_http_private(host);
    let page = read(url.clone()).in_env(&env).await?;
    println!("{url}: {} {:?}", page.status, page.title.unwrap_or_default());
    for link in page.links {
        println!("{link}");
    }
    Ok(())
}
