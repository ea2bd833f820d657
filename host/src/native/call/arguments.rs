//! The arguments of a function of a component: a tuple.

use hype_wire::{TextArgument, WireError, codec};
use serde::Serialize;

/// Arguments as a tuple of 0 to 12 values that serde can serialize: `()`, `("a",)`, `("a", 1)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of arguments",
    label = "not a tuple",
    note = "write a tuple of 0 to 12 values that serde can serialize: `()`, `(value,)`, `(a, b)`"
)]
pub trait Arguments: private::Sealed {
    /// A MessagePack array of them.
    ///
    /// # Errors
    ///
    /// When one of them has no MessagePack form.
    fn to_message_pack(&self) -> Result<Vec<u8>, WireError>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        impl<$($name: Serialize),*> private::Sealed for ($($name,)*) {}

        impl<$($name: Serialize),*> Arguments for ($($name,)*) {
            fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
                #[allow(non_snake_case, clippy::allow_attributes, reason = "named as their types")]
                let ($($name,)*) = self;
                #[allow(unused_mut, clippy::allow_attributes, reason = "the empty tuple adds nothing")]
                let mut bytes = codec::array_head($count);
                #[allow(unused_mut, unused_variables, clippy::allow_attributes, reason = "as above")]
                let mut number = 0;
                $(
                    number += 1;
                    codec::append(&mut bytes, $name).map_err(|error| error.of_argument(number))?;
                )*
                Ok(bytes)
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

/// Arguments of which only running tells how many there are, and all of one type; a tool's.
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

/// Arguments that a person wrote as texts; the function's types decide what each is.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_array() {
        assert_eq!(().to_message_pack().unwrap(), [0x90]);
        assert_eq!((1,).to_message_pack().unwrap(), [0x91, 1]);
        assert_eq!((1u8, 2u8).to_message_pack().unwrap(), [0x92, 1, 2]);
        let borrowed = String::from("a");
        assert_eq!((&borrowed, "b").to_message_pack().unwrap(), [0x92, 0xa1, b'a', 0xa1, b'b']);
    }
}
