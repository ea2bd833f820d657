//! Handles of functions, whose arguments are values of other calls.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{FunctionRecord, WireError, codec};
use serde::Serialize;

use crate::call::closure::{Call, CallTarget};
use crate::call::component::ComponentFunction;
use crate::call::typed::TypedFunction;
use crate::error;

/// A function of a component without arguments: `P` is the tuple of its parameters, and `T` the type of its value.
///
/// `#[hype::function]` generates a constant of this type, `HANDLE`, beside the constructor of closures. It names the function
/// where its argument is the value of another call: for [`Run::then`](crate::Run::then), [`Map::then`](crate::map::Map::then)
/// and [`Map::reduce`](crate::map::Map::reduce). `hype::component!` generates such a constant for each function, whose name is
/// that of the constructor in capital letters: `TOP_HANDLE` for `top`.
/// [`ComponentFunction::typed`](crate::component::ComponentFunction::typed) makes one for a function of any component.
///
/// ```
/// #[hype::function]
/// fn total(price: f64, quantity: u32) -> f64 {
///     price * f64::from(quantity)
/// }
///
/// # fn main() {
/// let handle: hype::FunctionHandle<(f64, u32), f64> = total::HANDLE;
/// assert_eq!(handle.function(), "total");
/// # }
/// ```
pub struct FunctionHandle<P, T> {
    target: CallTarget,
    /// The arguments after the missing ones. They are behind a pointer, so that a handle can be a constant.
    rest: Option<Arc<Rest>>,
    types: PhantomData<fn(P) -> T>,
}

/// Bound arguments of a function, which follow others.
struct Rest {
    count: u32,
    /// The encoded arguments, one after the other.
    bytes: Result<Bytes, Arc<WireError>>,
}

/// The parameters of a function: a tuple of 1 to 12 types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tuple of parameters",
    label = "the function has no parameter for a value",
    note = "the function needs 1 to 12 parameters, of which those after the first can be bound"
)]
pub trait Parameters: private::Encode {
    /// The type of the first parameter.
    type First;
}

mod private {
    use hype_wire::WireError;

    pub trait Encode {
        /// The types of the parameters after the first, as a tuple.
        type Rest;
        /// The number of these parameters.
        const REST: u32;

        /// Encodes arguments for these parameters, one after the other.
        fn encode(rest: Self::Rest) -> Result<Vec<u8>, WireError>;
    }
}

macro_rules! parameters {
    ($($rest:literal: $($name:ident)*;)*) => {$(
        impl<First, $($name: Serialize + 'static),*> private::Encode for (First, $($name,)*) {
            type Rest = ($($name,)*);
            const REST: u32 = $rest;

            #[allow(non_snake_case, unused_mut, unused_variables, unused_assignments, clippy::allow_attributes,
                reason = "named as their types; the empty tuple adds nothing")]
            fn encode(($($name,)*): Self::Rest) -> Result<Vec<u8>, WireError> {
                let (mut bytes, mut number) = (Vec::new(), 1);
                $(
                    number += 1;
                    codec::append_unverified(&mut bytes, $name)
                        .map_err(|error| error.of_argument(number))?;
                )*
                Ok(bytes)
            }
        }

        impl<First, $($name: Serialize + 'static),*> Parameters for (First, $($name,)*) {
            type First = First;
        }
    )*};
}

parameters! {
    0: ;
    1: B;
    2: B C;
    3: B C D;
    4: B C D E;
    5: B C D E F;
    6: B C D E F G;
    7: B C D E F G H;
    8: B C D E F G H I;
    9: B C D E F G H I J;
    10: B C D E F G H I J K;
    11: B C D E F G H I J K L;
}

/// A call that lacks its first arguments, which are values of other calls.
#[derive(Clone)]
pub(crate) struct OpenCall {
    /// The call, whose arguments are the head of their array.
    call: Call,
    /// The encoded arguments after the missing ones.
    rest: Result<Bytes, Arc<WireError>>,
}

impl<P, T> FunctionHandle<P, T> {
    /// Returns the function's name.
    pub fn function(&self) -> &str {
        self.target.function()
    }

    /// Returns a call whose first `missing` arguments are not known yet.
    pub(crate) fn open_call(&self, missing: u32) -> OpenCall {
        let bound = self.rest.as_ref().map_or(0, |rest| rest.count);
        OpenCall {
            call: Call::of_target(self.target.clone(), codec::array_head(missing + bound)),
            rest: self.rest.as_ref().map_or(Ok(Bytes::new()), |rest| rest.bytes.clone()),
        }
    }
}

impl<P: Parameters, T> FunctionHandle<P, T> {
    /// Binds all arguments but the first, as a tuple. The first is the value of another call.
    ///
    /// ```
    /// # #[hype::function]
    /// # fn total(price: f64, quantity: u32) -> f64 { price * f64::from(quantity) }
    /// # fn main() {
    /// let dozen: hype::FunctionHandle<(f64,), f64> = total::HANDLE.bind_rest((12,));
    /// # }
    /// ```
    #[must_use]
    pub fn bind_rest(self, rest: P::Rest) -> FunctionHandle<(P::First,), T> {
        let rest = match P::REST {
            // Those of a handle that has arguments are bound.
            0 => self.rest,
            count => {
                let bytes = P::encode(rest).map(Bytes::from).map_err(Arc::new);
                Some(Arc::new(Rest { count, bytes }))
            }
        };
        FunctionHandle { target: self.target, rest, types: PhantomData }
    }
}

impl OpenCall {
    pub(crate) fn function(&self) -> &str {
        self.call.function()
    }

    /// Returns the call without its arguments.
    pub(crate) fn call(&self) -> Call {
        self.call.without_arguments()
    }

    /// Finds the called function in its component, and checks its signature, the number of arguments and those that are
    /// bound.
    pub(crate) fn component_function(&self) -> error::Result<ComponentFunction> {
        self.rest()?;
        self.call.component_function()
    }

    /// Returns the head of the array of arguments, before the missing ones, and the bytes after them.
    pub(crate) fn around(&self) -> error::Result<(Bytes, Bytes)> {
        Ok((self.call.clone().take_arguments()?, self.rest()?))
    }

    /// Returns the arguments, of which the first ones are `values`: a MessagePack array.
    pub(crate) fn arguments(&self, values: &[&[u8]]) -> error::Result<Bytes> {
        let (head, rest) = self.around()?;
        Ok([&[&head[..]], values, &[&rest[..]]].concat().concat().into())
    }

    pub(crate) fn has_wit_types(&self) -> bool {
        self.call.has_wit_types()
    }

    fn rest(&self) -> error::Result<Bytes> {
        self.rest.clone().map_err(|error| self.call.argument_error(error))
    }
}

impl ComponentFunction {
    /// Returns a handle of the function, for calls whose first argument is the value of another one. `P` is the tuple of the
    /// types of its parameters, and `T` that of its value; they are not compared with those of the function before it runs.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// let price = component.function("price")?.typed::<(String, u32), f64>().bind_rest((3,));
    /// assert_eq!(price.function(), "price");
    /// # hype::Result::Ok(())
    /// ```
    pub fn typed<P, T>(self) -> FunctionHandle<P, T> {
        let target = CallTarget::Component(Box::new(self));
        FunctionHandle { target, rest: None, types: PhantomData }
    }
}

/// Creates a handle; called by the code that `#[hype::function]` generates.
pub const fn handle<P, T>(record: &'static FunctionRecord<'static>) -> FunctionHandle<P, T> {
    FunctionHandle { target: CallTarget::Package(record), rest: None, types: PhantomData }
}

/// Creates a handle; called by the code that `hype::component!` generates.
pub const fn typed_handle<P, T>(function: &'static TypedFunction) -> FunctionHandle<P, T> {
    FunctionHandle { target: CallTarget::Typed(function), rest: None, types: PhantomData }
}

impl<P, T> Clone for FunctionHandle<P, T> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), rest: self.rest.clone(), types: PhantomData }
    }
}

impl<P, T> fmt::Debug for FunctionHandle<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionHandle({})", self.function())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::component::Component;
    use crate::error::ErrorKind;

    fn handle<P, T>() -> FunctionHandle<P, T> {
        let component = Component::new("x.wasm", &b"\0asm\x0d\0\x01\0"[..]).unwrap();
        component.function("f").unwrap().typed()
    }

    #[test]
    fn values_come_before_bound_arguments() {
        let open = handle::<(u8, u16, String), ()>().bind_rest((7, "a".into())).open_call(1);
        assert_eq!(&open.arguments(&[&[0xc3]]).unwrap()[..], [0x93, 0xc3, 7, 0xa1, b'a']);
        let (head, rest) = open.around().unwrap();
        assert_eq!((&head[..], &rest[..]), (&[0x93][..], &[7, 0xa1, b'a'][..]));
    }

    #[test]
    fn two_values_are_the_arguments_of_a_merge() {
        let open = handle::<(u8, u8), u8>().open_call(2);
        assert_eq!(&open.arguments(&[&[1], &[2]]).unwrap()[..], [0x92, 1, 2]);
    }

    #[test]
    fn binding_nothing_keeps_bound_arguments() {
        let open = handle::<(u8, u8), u8>().bind_rest((2,)).bind_rest(()).open_call(1);
        assert_eq!(&open.arguments(&[&[1]]).unwrap()[..], [0x92, 1, 2]);
    }

    #[test]
    fn unencodable_argument_is_named_before_the_run() {
        struct Locked;
        impl Serialize for Locked {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("it is locked"))
            }
        }
        let open = handle::<(u8, u8, Locked), u8>().bind_rest((2, Locked)).open_call(1);
        let error = open.component_function().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.report().contains("argument 3: it is locked"), "{error:?}");
    }
}
