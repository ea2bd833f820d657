#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
/// Greets.
///
/// # Examples
///
///     example::call("hello".into(), 3);
#[cfg(not(target_family = "wasm"))]
pub fn example(arg: String, n: u32) -> ::hype::Closure<String> {
    ::hype::__internal::bind::<
        String,
    >(
        &example::__RECORD,
        ::hype::__internal::BoundArguments::new(2u32)
            .with::<String>(arg)
            .with::<u32>(n)
            .finish(),
    )
}
/// The plain body of the function `example`, as `example::call`.
pub enum example {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl example {
    #[doc(hidden)]
    pub const __RECORD: ::hype::__internal::FunctionRecord<'static> = ::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "example",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "Greets.\n\n# Examples\n\n    example::call(\"hello\".into(), 3);",
        parameters: &[
            ::hype::__internal::ParameterRecord {
                name: "arg",
                type_name: "String",
            },
            ::hype::__internal::ParameterRecord {
                name: "n",
                type_name: "u32",
            },
        ],
        result: "String",
    };
    /// The handle of `example`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    pub const HANDLE: ::hype::FunctionHandle<(String, u32), String> = ::hype::__internal::handle(
        &Self::__RECORD,
    );
    /// Greets.
    ///
    /// # Examples
    ///
    ///     example::call("hello".into(), 3);
    #[inline]
    pub fn call(mut arg: String, n: u32) -> String {
        arg.push_str(&"!".repeat(n as usize));
        arg
    }
}
#[cfg(not(target_family = "wasm"))]
const _: () = {
    let _ = example::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; ::hype::__internal::encoded_len(
        &example::__RECORD,
    )] = ::hype::__internal::encode(&example::__RECORD);
};
#[cfg(target_family = "wasm")]
const _: () = {
    ::hype::__internal::inventory::submit! {
        ::hype::__internal::Entry { record : & example::__RECORD, call : | mut
        __arguments | { let __0 = __arguments.take:: < String > () ?; let __1 =
        __arguments.take:: < u32 > () ?; __arguments.finish() ?;
        ::hype::__internal::value:: < String > (example::call(__0, __1)) }, }
    }
};
