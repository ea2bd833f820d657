#[cfg(not(target_family = "wasm"))]
const _: &[::core::primitive::u8] = ::core::include_bytes!(
    "ROOT/text.wit"
);
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[allow(non_upper_case_globals)]
static __HYPE_COMPONENT_text_2e_wit: ::hype::__internal::TypedComponent = ::hype::__internal::TypedComponent::of_package(
    "words",
);
#[cfg(not(target_family = "wasm"))]
#[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
pub fn greet(self_: ::std::string::String) -> ::hype::Closure<::std::string::String> {
    ::hype::__internal::bind_typed(&__HYPE_FUNCTION_GREET, (self_,))
}
#[cfg(not(target_family = "wasm"))]
#[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
/// The handle of `greet`, for calls with values of other calls.
pub const GREET_HANDLE: ::hype::FunctionHandle<
    (::std::string::String,),
    ::std::string::String,
> = ::hype::__internal::typed_handle(&__HYPE_FUNCTION_GREET);
#[cfg(not(target_family = "wasm"))]
#[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
static __HYPE_FUNCTION_GREET: ::hype::__internal::TypedFunction = ::hype::__internal::TypedFunction {
    component: &self::__HYPE_COMPONENT_text_2e_wit,
    name: "greet",
    types: || ::hype::component::WitFunction {
        interface: ::core::option::Option::None,
        name: ::std::string::String::from("greet"),
        docs: ::std::string::String::new(),
        parameters: ::std::vec![
            (::std::string::String::from("self"), ::hype::component::WitType::String)
        ],
        result: ::core::option::Option::Some(::hype::component::WitType::String),
        refusal: ::core::option::Option::None,
    },
};
#[cfg_attr(not(doctest), doc = "Functions of texts.")]
#[cfg(not(target_family = "wasm"))]
#[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
pub mod stats {
    #[cfg_attr(not(doctest), doc = "How a list is sorted.")]
    #[derive(
        Debug,
        Clone,
        PartialEq,
        Copy,
        Eq,
        Hash,
        PartialOrd,
        Ord,
        ::hype::serde::Serialize,
        ::hype::serde::Deserialize
    )]
    #[serde(crate = "::hype::serde")]
    pub enum Order {
        #[cfg_attr(not(doctest), doc = "The most frequent word first.")]
        #[serde(rename = "most-frequent")]
        MostFrequent,
        #[serde(rename = "alphabetical")]
        Alphabetical,
    }
    pub type Word = super::words::Word;
    #[derive(
        Debug,
        Clone,
        PartialEq,
        ::hype::serde::Serialize,
        ::hype::serde::Deserialize
    )]
    #[serde(crate = "::hype::serde")]
    pub struct Count {
        #[serde(rename = "word")]
        pub word: Word,
        #[cfg_attr(not(doctest), doc = "How often it is in the text.")]
        #[serde(rename = "times-seen")]
        pub times_seen: ::core::primitive::u32,
        #[serde(rename = "positions")]
        pub positions: ::std::vec::Vec<
            (::core::primitive::u32, ::core::option::Option<::core::primitive::char>),
        >,
    }
    #[derive(
        Debug,
        Clone,
        PartialEq,
        ::hype::serde::Serialize,
        ::hype::serde::Deserialize
    )]
    #[serde(crate = "::hype::serde")]
    pub enum Problem {
        #[serde(rename = "empty-text")]
        EmptyText,
        #[serde(rename = "too-long")]
        TooLong(::core::primitive::u32),
    }
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct Options {
        pub ignore_case: ::core::primitive::bool,
        pub r#type: ::core::primitive::bool,
    }
    impl ::hype::serde::Serialize for Options {
        fn serialize<S: ::hype::serde::Serializer>(
            &self,
            serializer: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            let all: &[(&::core::primitive::str, ::core::primitive::bool)] = &[
                ("ignore-case", self.ignore_case),
                ("type", self.r#type),
            ];
            let set = all.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
            serializer.collect_seq(set)
        }
    }
    impl<'de> ::hype::serde::Deserialize<'de> for Options {
        fn deserialize<D: ::hype::serde::Deserializer<'de>>(
            deserializer: D,
        ) -> ::core::result::Result<Self, D::Error> {
            let set: ::std::vec::Vec<::std::string::String> = ::hype::serde::Deserialize::deserialize(
                deserializer,
            )?;
            let mut flags = Self::default();
            for name in &set {
                match name.as_str() {
                    "ignore-case" => flags.ignore_case = true,
                    "type" => flags.r#type = true,
                    other => {
                        return ::core::result::Result::Err(
                            ::hype::serde::de::Error::unknown_variant(
                                other,
                                &["ignore-case", "type"],
                            ),
                        );
                    }
                }
            }
            ::core::result::Result::Ok(flags)
        }
    }
    #[cfg_attr(not(doctest), doc = "Returns the most frequent words of `text`.")]
    pub fn top(
        text: ::std::string::String,
        n: ::core::primitive::u32,
        order: Order,
    ) -> ::hype::Closure<::std::vec::Vec<Count>> {
        ::hype::__internal::bind_typed(&__HYPE_FUNCTION_TOP, (text, n, order))
    }
    /// The handle of `top`, for calls with values of other calls.
    pub const TOP_HANDLE: ::hype::FunctionHandle<
        (::std::string::String, ::core::primitive::u32, Order),
        ::std::vec::Vec<Count>,
    > = ::hype::__internal::typed_handle(&__HYPE_FUNCTION_TOP);
    static __HYPE_FUNCTION_TOP: ::hype::__internal::TypedFunction = ::hype::__internal::TypedFunction {
        component: &super::__HYPE_COMPONENT_text_2e_wit,
        name: "top",
        types: || ::hype::component::WitFunction {
            interface: ::core::option::Option::Some(
                ::std::string::String::from("acme:text/stats@1.2.0"),
            ),
            name: ::std::string::String::from("top"),
            docs: ::std::string::String::new(),
            parameters: ::std::vec![
                (::std::string::String::from("text"),
                ::hype::component::WitType::String), (::std::string::String::from("n"),
                ::hype::component::WitType::U32), (::std::string::String::from("order"),
                ::hype::component::WitType::Enum(::std::vec![::std::string::String::from("most-frequent"),
                ::std::string::String::from("alphabetical")]))
            ],
            result: ::core::option::Option::Some(::hype::component::WitType::Result {
                ok: ::core::option::Option::Some(
                    ::std::boxed::Box::new(
                        ::hype::component::WitType::List(
                            ::std::boxed::Box::new(
                                ::hype::component::WitType::Record(
                                    ::std::vec![
                                        (::std::string::String::from("word"),
                                        ::hype::component::WitType::String),
                                        (::std::string::String::from("times-seen"),
                                        ::hype::component::WitType::U32),
                                        (::std::string::String::from("positions"),
                                        ::hype::component::WitType::List(::std::boxed::Box::new(::hype::component::WitType::Tuple(::std::vec![::hype::component::WitType::U32,
                                        ::hype::component::WitType::Option(::std::boxed::Box::new(::hype::component::WitType::Char))]))))
                                    ],
                                ),
                            ),
                        ),
                    ),
                ),
                err: ::core::option::Option::Some(
                    ::std::boxed::Box::new(
                        ::hype::component::WitType::Variant(
                            ::std::vec![
                                (::std::string::String::from("empty-text"),
                                ::core::option::Option::None),
                                (::std::string::String::from("too-long"),
                                ::core::option::Option::Some(::hype::component::WitType::U32))
                            ],
                        ),
                    ),
                ),
            }),
            refusal: ::core::option::Option::None,
        },
    };
    pub fn set(options: Options, data: ::hype::Bytes) -> ::hype::Closure<()> {
        ::hype::__internal::bind_typed(&__HYPE_FUNCTION_SET, (options, data))
    }
    /// The handle of `set`, for calls with values of other calls.
    pub const SET_HANDLE: ::hype::FunctionHandle<(Options, ::hype::Bytes), ()> = ::hype::__internal::typed_handle(
        &__HYPE_FUNCTION_SET,
    );
    static __HYPE_FUNCTION_SET: ::hype::__internal::TypedFunction = ::hype::__internal::TypedFunction {
        component: &super::__HYPE_COMPONENT_text_2e_wit,
        name: "set",
        types: || ::hype::component::WitFunction {
            interface: ::core::option::Option::Some(
                ::std::string::String::from("acme:text/stats@1.2.0"),
            ),
            name: ::std::string::String::from("set"),
            docs: ::std::string::String::new(),
            parameters: ::std::vec![
                (::std::string::String::from("options"),
                ::hype::component::WitType::Flags(::std::vec![::std::string::String::from("ignore-case"),
                ::std::string::String::from("type")])),
                (::std::string::String::from("data"),
                ::hype::component::WitType::List(::std::boxed::Box::new(::hype::component::WitType::U8)))
            ],
            result: ::core::option::Option::None,
            refusal: ::core::option::Option::None,
        },
    };
    #[cfg_attr(not(doctest), doc = "Its name is almost that of the handle of `top`.")]
    pub fn top_handle() -> ::hype::Closure<::core::primitive::u32> {
        ::hype::__internal::bind_typed(&__HYPE_FUNCTION_TOP_HANDLE, ())
    }
    /// The handle of `top_handle`, for calls with values of other calls.
    pub const TOP_HANDLE_HANDLE: ::hype::FunctionHandle<(), ::core::primitive::u32> = ::hype::__internal::typed_handle(
        &__HYPE_FUNCTION_TOP_HANDLE,
    );
    static __HYPE_FUNCTION_TOP_HANDLE: ::hype::__internal::TypedFunction = ::hype::__internal::TypedFunction {
        component: &super::__HYPE_COMPONENT_text_2e_wit,
        name: "TOP-HANDLE",
        types: || ::hype::component::WitFunction {
            interface: ::core::option::Option::Some(
                ::std::string::String::from("acme:text/stats@1.2.0"),
            ),
            name: ::std::string::String::from("TOP-HANDLE"),
            docs: ::std::string::String::new(),
            parameters: ::std::vec![],
            result: ::core::option::Option::Some(::hype::component::WitType::U32),
            refusal: ::core::option::Option::None,
        },
    };
}
#[cfg(not(target_family = "wasm"))]
#[allow(dead_code, missing_docs, unreachable_pub, deprecated, clippy::all, rustdoc::all)]
pub mod words {
    pub type Word = ::std::string::String;
}
