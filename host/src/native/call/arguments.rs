//! Arguments of functions of components.

use hype_wire::{TextArgument, TextRecord, WireError, codec};
use serde::Serialize;

/// Arguments of a function: a tuple of 0 to 12 values that serde can serialize, such as `()`, `("a",)` or `("a", 1)`.
///
/// ```
/// use hype::component::Arguments;
///
/// assert_eq!(("a", 1).to_message_pack()?, [0x92, 0xa1, b'a', 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of arguments",
    label = "not a tuple",
    note = "write a tuple of 0 to 12 values that serde can serialize: `()`, `(value,)`, `(a, b)`"
)]
pub trait Arguments: private::Sealed {
    /// Encodes the arguments as a MessagePack array.
    ///
    /// # Errors
    ///
    /// An error that names the first argument without a MessagePack form.
    fn to_message_pack(&self) -> Result<Vec<u8>, WireError>;
}

/// Arguments that own their values.
pub trait OwnedArguments: Arguments {
    /// Encodes the arguments as a MessagePack array. A long byte string or text keeps its buffer, which isn't copied.
    ///
    /// # Errors
    ///
    /// An error that names the first argument without a MessagePack form.
    fn into_message_pack(self) -> Result<Vec<u8>, WireError>;
}

mod private {
    pub trait Sealed {}
}

/// Encodes the values named `$name` as an array, each with the function `$append`.
macro_rules! encode {
    ($count:literal, $append:path, $($name:ident)*) => {{
        #[allow(unused_mut, clippy::allow_attributes, reason = "the empty tuple adds nothing")]
        let mut bytes = codec::array_head($count);
        #[allow(unused_mut, unused_variables, clippy::allow_attributes, reason = "as above")]
        let mut number = 0;
        $(
            number += 1;
            $append(&mut bytes, $name).map_err(|error| error.of_argument(number))?;
        )*
        Ok(bytes)
    }};
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        impl<$($name: Serialize),*> private::Sealed for ($($name,)*) {}

        impl<$($name: Serialize),*> Arguments for ($($name,)*) {
            fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
                #[allow(non_snake_case, clippy::allow_attributes, reason = "named as their types")]
                let ($($name,)*) = self;
                encode!($count, codec::append, $($name)*)
            }
        }

        impl<$($name: Serialize + 'static),*> OwnedArguments for ($($name,)*) {
            fn into_message_pack(self) -> Result<Vec<u8>, WireError> {
                #[allow(non_snake_case, clippy::allow_attributes, reason = "named as their types")]
                let ($($name,)*) = self;
                encode!($count, codec::append_unverified, $($name)*)
            }
        }
    )*};
}

tuples! {
    0: ;
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
    7: A B C D E F G;
    8: A B C D E F G H;
    9: A B C D E F G H I;
    10: A B C D E F G H I J;
    11: A B C D E F G H I J K;
    12: A B C D E F G H I J K L;
}

/// A list of arguments of one type, whose length is known only at run time.
///
/// ```
/// use hype::component::{ArgumentList, Arguments};
///
/// let numbers = vec![1, 2, 3];
/// assert_eq!(ArgumentList(&numbers).to_message_pack()?, [0x93, 1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ArgumentList<'a, T>(pub &'a [T]);

impl<T> private::Sealed for ArgumentList<'_, T> {}

impl<T: Serialize> Arguments for ArgumentList<'_, T> {
    fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
        let mut bytes = codec::array_head(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for (index, argument) in self.0.iter().enumerate() {
            let appended = codec::append(&mut bytes, argument);
            appended.map_err(|error| error.of_argument(index + 1))?;
        }
        Ok(bytes)
    }
}

/// A list of arguments that a user wrote as text. The types of the function's parameters decide how each is encoded.
///
/// ```
/// use hype::component::{Arguments, TextArguments};
///
/// assert_eq!(TextArguments::<String>(&[]).to_message_pack()?, [0x90]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TextArguments<'a, T>(pub &'a [TextArgument<T>]);

impl<T> private::Sealed for TextArguments<'_, T> {}

impl<T: Serialize> Arguments for TextArguments<'_, T> {
    fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
        let mut bytes = codec::array_head(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.iter().try_for_each(|argument| argument.append_to(&mut bytes))?;
        Ok(bytes)
    }
}

impl<T> private::Sealed for TextRecord<T> {}

/// The record is the only argument.
impl<T: Serialize> Arguments for TextRecord<T> {
    fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
        let mut bytes = codec::array_head(1);
        self.append_to(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_owned_bytes_keep_their_buffer() {
        let mut content = Vec::with_capacity(200);
        content.resize(100, 1_u8);
        let address = content.as_ptr();
        let bytes = (hype_wire::Bytes(content),).into_message_pack().unwrap();
        assert_eq!(bytes.as_ptr(), address);
    }

    #[test]
    fn tuples_are_encoded_as_arrays() {
        assert_eq!(().to_message_pack().unwrap(), [0x90]);
        assert_eq!((1,).to_message_pack().unwrap(), [0x91, 1]);
        assert_eq!((1u8, 2u8).to_message_pack().unwrap(), [0x92, 1, 2]);
        let owned = ("a".to_owned(), vec![1u8, 2], 3).into_message_pack().unwrap();
        assert_eq!(owned, ("a", hype_wire::Bytes(vec![1, 2]), 3).to_message_pack().unwrap());
        let borrowed = String::from("a");
        assert_eq!((&borrowed, "b").to_message_pack().unwrap(), [0x92, 0xa1, b'a', 0xa1, b'b']);
    }
}
