//! All kinds of `main` compile without warnings.

#![deny(warnings, missing_docs, unreachable_pub, clippy::pedantic)]
#![forbid(unsafe_code)]

/// A plain `main` with an error of another crate.
pub mod plain {
    #[hype::main]
    pub(super) fn main() -> anyhow::Result<()> {
        std::fs::read("/")?;
        Ok(())
    }
}

/// An `async` main without a result.
#[hype::main]
#[expect(unused_variables, reason = "attributes stay")]
async fn main() {
    let unused = std::future::ready(1).await;
    assert_eq!(plain::main(), std::process::ExitCode::FAILURE);
    std::future::ready(()).await;
}
