//! A `main` of each kind, without a single warning.

#![deny(warnings, missing_docs, unreachable_pub, clippy::pedantic)]
#![forbid(unsafe_code)]

/// Plain, with an error of another crate.
pub mod plain {
    #[hype::main]
    pub(super) fn main() -> anyhow::Result<()> {
        std::fs::read("/")?;
        Ok(())
    }
}

/// Giving nothing.
#[hype::main]
#[expect(unused_variables, reason = "attributes stay")]
async fn main() {
    let unused = std::future::ready(1).await;
    assert_eq!(plain::main(), std::process::ExitCode::FAILURE);
    std::future::ready(()).await;
}
