//! The call of a closure, whose arguments and value are MessagePack in lists of bytes.
//!
//! wasmtime's own conversion copies a list at once into memory of small pages. [`Arguments`] and [`Value`] copy large
//! lists in parts into large pages, or pass them from and to another process.

use std::mem::MaybeUninit;
use std::sync::Arc;

use hype_wire::Failure;
use hype_wire::wit::{COPIED_AT_ONCE, GuestMemory};
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{Component, ComponentExportIndex, ComponentType, Instance, Lift, Lower};
use wasmtime::{Store, ValRaw};

use crate::embedding::bindings::exports::spotify::hype::closure::Failure as ReturnedFailure;
use crate::execution::Guest;
use crate::failure::{self, WrongType};
#[cfg(target_os = "linux")]
use crate::large_pages;
use crate::transport::{Arguments, ValueSink, take, with_sink};
use crate::typed::Lowered;

const INTERFACE: &str = "spotify:hype/closure@0.1.0";

const FUNCTION: &str = "call";

/// Returns the index of the function that calls closures, if `component` exports it.
pub(crate) fn index(component: &Component) -> Option<ComponentExportIndex> {
    let interface = component.get_export_index(None, INTERFACE)?;
    component.get_export_index(Some(&interface), FUNCTION)
}

/// Calls the closure `name` through the function `index` of `instance` with a MessagePack array of arguments. Returns the
/// value as MessagePack, which is empty if `sink` has taken it, or the failure that the function returned.
///
/// # Errors
///
/// [`WrongType`] if the function at `index` has another type, or the error that ended the guest.
pub(crate) async fn call(
    store: &mut Store<Guest>,
    instance: &Instance,
    index: ComponentExportIndex,
    name: &str,
    arguments: Arguments<'_>,
    sink: Option<&Arc<dyn ValueSink>>,
) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
    type Function<'a> = (&'a str, Arguments<'a>);
    type Returned = (Result<Value, ReturnedFailure>,);
    let function = instance
        .get_typed_func::<Function<'_>, Returned>(&mut *store, index)
        .map_err(|error| error.context(WrongType))?;
    let call = function.call_async(store, (name, arguments));
    let (returned,) = with_sink(sink, call).await?;
    Ok(returned.map(|Value(bytes)| bytes).map_err(failure::returned))
}

// SAFETY: the type and its core values are those of a list of bytes.
unsafe impl ComponentType for Arguments<'_> {
    type Lower = [ValRaw; 2];

    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: both core values are written: the address and the length of an allocation in the guest's memory.
unsafe impl Lower for Arguments<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let length = match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Source(source) => source.size(),
        };
        let length = u32::try_from(length)?;
        let mut memory = Lowered(cx);
        let at = memory.allocate(1, length)?;
        match self {
            Self::Bytes(bytes) => memory.write(at, bytes)?,
            Self::Source(source) => source.read_to(memory.allocated(at, length as usize)?)?,
        }
        dst.write([ValRaw::u32(at), ValRaw::u32(length)]);
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> wasmtime::Result<()> {
        wasmtime::bail!("arguments are never inside other values")
    }
}

/// The encoded value of a closure. It is empty if the sink of the call has taken it.
struct Value(Vec<u8>);

// SAFETY: the type and its core values are those of a list of bytes.
unsafe impl ComponentType for Value {
    type Lower = [ValRaw; 2];

    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: the list is read within the bounds of the guest's memory.
unsafe impl Lift for Value {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        src: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        lift(cx, src[0].get_u32(), src[1].get_u32())
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let [at, length] = [bytes.get(..4), bytes.get(4..8)].map(|part| {
            let part: Option<[u8; 4]> = part?.try_into().ok();
            part.map(u32::from_le_bytes)
        });
        match (at, length) {
            (Some(at), Some(length)) => lift(cx, at, length),
            _ => wasmtime::bail!("a list has no address and no length"),
        }
    }
}

fn lift(cx: &mut LiftContext<'_>, at: u32, length: u32) -> wasmtime::Result<Value> {
    let (at, length) = (at as usize, length as usize);
    let list = cx.memory().get(at..).and_then(|memory| memory.get(..length));
    let Some(list) = list else {
        wasmtime::bail!("list pointer/length out of bounds of memory");
    };
    cx.consume_fuel(length)?;
    let mut copy = Vec::new();
    if !take([b"", list]) {
        #[cfg(target_os = "linux")]
        large_pages::reserve_exact(&mut copy, length);
        #[cfg(not(target_os = "linux"))]
        copy.reserve_exact(length);
        for part in list.chunks(COPIED_AT_ONCE) {
            copy.extend_from_slice(part);
        }
    }
    Ok(Value(copy))
}
