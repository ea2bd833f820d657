/// Makes a closure of `old`.
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
#[doc(hidden)]
#[deprecated]
#[allow(unused_variables, reason = "for later")]
#[cfg(not(target_family = "wasm"))]
fn old(arg: (u8,)) -> ::hype::Closure<()> {
    ::hype::__internal::bind::<
        (),
    >(
        &old::__RECORD,
        ::hype::__internal::BoundArguments::new(1u32).with::<(u8,)>(arg).finish(),
    )
}
#[doc(hidden)]
/// The plain body of the function `old`, as `old::call`.
enum old {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl old {
    #[doc(hidden)]
    const __RECORD: ::hype::__internal::FunctionRecord<'static> = ::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "old",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "",
        parameters: &[
            ::hype::__internal::ParameterRecord {
                name: "arg",
                type_name: "(u8,)",
            },
        ],
        result: "()",
    };
    /// The handle of `old`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    const HANDLE: ::hype::FunctionHandle<((u8,),), ()> = ::hype::__internal::handle(
        &Self::__RECORD,
    );
    #[deprecated]
    #[expect(unused_variables, reason = "for later")]
    #[tracing::instrument]
    fn call(arg: (u8,)) {}
}
#[cfg(not(target_family = "wasm"))]
#[allow(deprecated)]
const _: () = {
    let _ = old::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; ::hype::__internal::encoded_len(
        &old::__RECORD,
    )] = ::hype::__internal::encode(&old::__RECORD);
};
#[cfg(target_family = "wasm")]
#[allow(deprecated)]
const _: () = {
    ::hype::__internal::inventory::submit! {
        ::hype::__internal::Entry { record : & old::__RECORD, call : | mut __arguments |
        { let __0 = __arguments.take:: < (u8,) > () ?; __arguments.finish() ?;
        ::hype::__internal::value:: < () > (old::call(__0)) }, }
    }
};
