/// Makes a closure of `read`.
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
#[cfg(not(target_family = "wasm"))]
pub(crate) fn read(
    path: String,
) -> ::hype::Closure<<io::Result<Vec<u8>> as ::hype::__internal::Fallible>::Value> {
    ::hype::__internal::bind::<
        <io::Result<Vec<u8>> as ::hype::__internal::Fallible>::Value,
    >(
        &read::__RECORD,
        ::hype::__internal::BoundArguments::new(1u32).with::<String>(path).finish(),
    )
}
/// The plain body of the function `read`, as `read::call`.
pub(crate) enum read {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl read {
    #[doc(hidden)]
    pub(crate) const __RECORD: ::hype::__internal::FunctionRecord<'static> = ::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "read",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "",
        parameters: &[
            ::hype::__internal::ParameterRecord {
                name: "path",
                type_name: "String",
            },
        ],
        result: "io::Result<Vec<u8>>",
    };
    /// The handle of `read`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    pub(crate) const HANDLE: ::hype::FunctionHandle<
        (String,),
        <io::Result<Vec<u8>> as ::hype::__internal::Fallible>::Value,
    > = ::hype::__internal::handle(&Self::__RECORD);
    pub(crate) fn call(path: String) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
}
#[cfg(not(target_family = "wasm"))]
const _: () = {
    const fn __error_crosses<E: ::hype::__internal::FunctionError>() {}
    __error_crosses::<<io::Result<Vec<u8>> as ::hype::__internal::Fallible>::Error>();
    let _ = read::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; ::hype::__internal::encoded_len(
        &read::__RECORD,
    )] = ::hype::__internal::encode(&read::__RECORD);
};
#[cfg(target_family = "wasm")]
const _: () = {
    ::hype::__internal::inventory::submit! {
        ::hype::__internal::Entry { record : & read::__RECORD, call : | mut __arguments |
        { let __0 = __arguments.take:: < String > () ?; __arguments.finish() ?;
        ::hype::__internal::fallible:: < io::Result < Vec < u8 > > > (read::call(__0)) },
        }
    }
};
/// Makes a closure of `try_it`.
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
#[cfg(not(target_family = "wasm"))]
fn try_it() -> ::hype::Closure<<Outcome<()> as ::hype::__internal::Fallible>::Value> {
    ::hype::__internal::bind::<
        <Outcome<()> as ::hype::__internal::Fallible>::Value,
    >(&try_it::__RECORD, ::hype::__internal::BoundArguments::new(0u32).finish())
}
/// The plain body of the function `try_it`, as `try_it::call`.
enum try_it {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl try_it {
    #[doc(hidden)]
    const __RECORD: ::hype::__internal::FunctionRecord<'static> = ::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "try_it",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "",
        parameters: &[],
        result: "Outcome<()>",
    };
    /// The handle of `try_it`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    const HANDLE: ::hype::FunctionHandle<
        (),
        <Outcome<()> as ::hype::__internal::Fallible>::Value,
    > = ::hype::__internal::handle(&Self::__RECORD);
    fn call() -> Outcome<()> {
        Ok(())
    }
}
#[cfg(not(target_family = "wasm"))]
const _: () = {
    const fn __error_crosses<E: ::hype::__internal::FunctionError>() {}
    __error_crosses::<<Outcome<()> as ::hype::__internal::Fallible>::Error>();
    let _ = try_it::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; ::hype::__internal::encoded_len(
        &try_it::__RECORD,
    )] = ::hype::__internal::encode(&try_it::__RECORD);
};
#[cfg(target_family = "wasm")]
const _: () = {
    ::hype::__internal::inventory::submit! {
        ::hype::__internal::Entry { record : & try_it::__RECORD, call : | mut __arguments
        | { __arguments.finish() ?; ::hype::__internal::fallible:: < Outcome < () > >
        (try_it::call()) }, }
    }
};
/// Makes a closure of `play`.
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
#[cfg(not(target_family = "wasm"))]
fn play(game: Game) -> ::hype::Closure<Result> {
    ::hype::__internal::bind::<
        Result,
    >(
        &play::__RECORD,
        ::hype::__internal::BoundArguments::new(1u32).with::<Game>(game).finish(),
    )
}
/// The plain body of the function `play`, as `play::call`.
enum play {}
#[allow(clippy::implicit_hasher, clippy::needless_pass_by_value)]
impl play {
    #[doc(hidden)]
    const __RECORD: ::hype::__internal::FunctionRecord<'static> = ::hype::__internal::FunctionRecord {
        package: ::core::env!("CARGO_PKG_NAME"),
        name: "play",
        file: ::core::file!(),
        line: ::core::line!(),
        docs: "",
        parameters: &[
            ::hype::__internal::ParameterRecord {
                name: "game",
                type_name: "Game",
            },
        ],
        result: "Result",
    };
    /// The handle of `play`, for calls with values of other calls.
    #[cfg(not(target_family = "wasm"))]
    #[allow(dead_code, clippy::type_complexity)]
    const HANDLE: ::hype::FunctionHandle<(Game,), Result> = ::hype::__internal::handle(
        &Self::__RECORD,
    );
    fn call(game: Game) -> Result {
        Result::Draw
    }
}
#[cfg(not(target_family = "wasm"))]
const _: () = {
    let _ = play::call;
};
#[cfg(target_family = "wasm")]
const _: () = {
    #[used]
    #[unsafe(link_section = "hype:functions")]
    static RECORD: [::core::primitive::u8; ::hype::__internal::encoded_len(
        &play::__RECORD,
    )] = ::hype::__internal::encode(&play::__RECORD);
};
#[cfg(target_family = "wasm")]
const _: () = {
    ::hype::__internal::inventory::submit! {
        ::hype::__internal::Entry { record : & play::__RECORD, call : | mut __arguments |
        { let __0 = __arguments.take:: < Game > () ?; __arguments.finish() ?;
        ::hype::__internal::value:: < Result > (play::call(__0)) }, }
    }
};
