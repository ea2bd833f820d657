/// Submits.
fn main() -> ::std::process::ExitCode {
    async fn main() -> hype::Result<()> {
        example("hello".into(), 3).await?;
        Ok(())
    }
    ::hype::embed!();
    ::hype::__internal::run_main(main())
}
#[expect(unused_variables, reason = "for later")]
fn blocking() -> ::std::process::ExitCode {
    fn blocking() {
        let greeting = hype::blocking::submit(example("hello".into(), 3));
    }
    ::hype::embed!();
    ::hype::__internal::run_blocking_main(blocking)
}
