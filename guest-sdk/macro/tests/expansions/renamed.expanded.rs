/// Makes a closure of `parse`.
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
#[cfg(not(target_family = "wasm"))]
pub fn parse(
    text: String,
) -> framework::hype::Closure<
    <Result<u8, std::num::ParseIntError> as framework::hype::__internal::Fallible>::Value,
> {
    framework::hype::__internal::bind::<
        <Result<
            u8,
            std::num::ParseIntError,
        > as framework::hype::__internal::Fallible>::Value,
    >(
        &parse::__RECORD,
        framework::hype::__internal::BoundArguments::new(1u32)
            .with::<String>(text)
            .finish(),
    )
}
/// The plain body of the function `parse`, as `parse::call`.
pub enum parse {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl parse {
    #[doc(hidden)]
    pub const __RECORD: framework::hype::__internal::FunctionRecord<'static> = framework::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "parse",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "",
        parameters: &[
            framework::hype::__internal::ParameterRecord {
                name: "text",
                type_name: "String",
            },
        ],
        result: "Result<u8, std::num::ParseIntError>",
    };
    /// The handle of `parse`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    pub const HANDLE: framework::hype::FunctionHandle<
        (String,),
        <Result<
            u8,
            std::num::ParseIntError,
        > as framework::hype::__internal::Fallible>::Value,
    > = framework::hype::__internal::handle(&Self::__RECORD);
    pub fn call(text: String) -> Result<u8, std::num::ParseIntError> {
        text.parse()
    }
}
#[cfg(not(target_family = "wasm"))]
const _: () = {
    const fn __error_crosses<E: framework::hype::__internal::FunctionError>() {}
    __error_crosses::<
        <Result<
            u8,
            std::num::ParseIntError,
        > as framework::hype::__internal::Fallible>::Error,
    >();
    let _ = parse::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; framework::hype::__internal::encoded_len(
        &parse::__RECORD,
    )] = framework::hype::__internal::encode(&parse::__RECORD);
};
#[cfg(target_family = "wasm")]
const _: () = {
    framework::hype::__internal::inventory::submit! {
        framework::hype::__internal::Entry { record : & parse::__RECORD, call : | mut
        __arguments | { let __0 = __arguments.take:: < String > () ?; __arguments
        .finish() ?; framework::hype::__internal::fallible:: < Result < u8,
        std::num::ParseIntError > > (parse::call(__0)) }, }
    }
};
fn main() -> ::std::process::ExitCode {
    async fn main() {}
    framework::hype::embed!(crate = framework::hype);
    framework::hype::__internal::run_main(main())
}
