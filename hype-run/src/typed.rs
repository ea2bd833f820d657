//! Calls of functions with WIT types.
//!
//! wasmtime converts values of types that are known when hype-run is compiled, or builds a tree of dynamic
//! values. Here the types are known when a component is loaded. [`Arguments`] and [`Value`] implement
//! wasmtime's traits for static types, and convert by a [`Signature`]: arguments go from MessagePack into the
//! guest's memory and the value comes from there, without a tree in between.

#[cfg(test)]
mod tests;

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

use hype_wire::WireError;
use hype_wire::wit::{
    COPIED_AT_ONCE, GuestMemory, LiftError, LowerError, Returned, ReturnedMemory, Signature,
    TextEncoding, head_of_bytes, position_of_bytes,
};
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc};
use wasmtime::{Store, ValRaw};

#[cfg(target_os = "linux")]
use crate::large_pages;
use crate::transport::{self, ArgumentSource, HEAD};

/// The maximum number of core values that a component's function takes.
const MAX_PARAMETERS: usize = 16;

tokio::task_local! {
    /// The signature of the function that this task calls. wasmtime passes nothing of the caller to the
    /// conversion of a value.
    static SIGNATURE: Arc<Signature>;
}

/// Calls `function`, whose type is `signature`, with a MessagePack array of arguments.
///
/// # Errors
///
/// The error that ended the guest, [`Mismatch`] if the arguments don't fit, and [`Invalid`] if the guest
/// returned something that is not a value of the type.
pub(crate) async fn call<T: Send + 'static>(
    store: &mut Store<T>,
    function: Func,
    signature: &Arc<Signature>,
    arguments: transport::Arguments<'_>,
) -> wasmtime::Result<Returned> {
    // SAFETY: `Arguments` and `Value` check the function's type themselves.
    let function = unsafe { TypedFunc::<Arguments<'_>, Value>::new_unchecked(function) };
    let call = function.call_async(store, Arguments { signature, encoded: arguments });
    let Value(returned) = SIGNATURE.scope(Arc::clone(signature), call).await?;
    Ok(returned)
}

/// The error of arguments that don't fit the parameters of their function.
#[derive(Debug)]
pub(crate) struct Mismatch(pub(crate) WireError);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Mismatch {}

/// The error of a guest that returned something that is not a value of the function's type.
#[derive(Debug)]
pub(crate) struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the component returned an invalid value: {}", self.0)
    }
}

impl std::error::Error for Invalid {}

/// All arguments of a call, in place of a tuple of them.
struct Arguments<'a> {
    signature: &'a Signature,
    encoded: transport::Arguments<'a>,
}

/// The end of a call, in place of a tuple of its results.
struct Value(Returned);

/// Returns the description of a list of `count` core values. wasmtime uses only the count of a list that is
/// passed as core values.
const fn core_values(count: u8) -> CanonicalAbiInfo {
    CanonicalAbiInfo { flat_count: Some(count), ..CanonicalAbiInfo::ZERO }
}

// SAFETY: `Lower` is an array of core values with room for the parameters of every function. `lower` compares
// the type with the signature, and writes all of them.
unsafe impl ComponentType for Arguments<'_> {
    type Lower = [ValRaw; MAX_PARAMETERS];

    const ABI: CanonicalAbiInfo = core_values(MAX_PARAMETERS as u8);

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
}

// SAFETY: see `ComponentType`.
unsafe impl ComponentNamedList for Arguments<'_> {}

// SAFETY: the core values are those of the parameters by the canonical ABI; a debug build of wasmtime, and the
// comparison of sizes in release builds, would detect another layout. All memory is accessed within bounds.
unsafe impl Lower for Arguments<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        let InterfaceType::Tuple(index) = ty else {
            wasmtime::bail!("the parameters are not a tuple");
        };
        let abi = &cx.types[index].abi;
        let count = abi.flat_count(MAX_PARAMETERS).unwrap_or(1);
        if (abi.size32, abi.align32) != self.signature.parameters_abi()
            || count != self.signature.core_parameters()
        {
            wasmtime::bail!("the parameters have another layout than hype computed");
        }
        let mut memory = Lowered(cx);
        let core = match self.encoded {
            transport::Arguments::Bytes(bytes) => lower(self.signature, bytes, &mut memory)?,
            transport::Arguments::Source(source) => {
                lower_from(self.signature, source, &mut memory)?
            }
        };
        let mut values = [ValRaw::u64(0); MAX_PARAMETERS];
        for (value, core) in values.iter_mut().zip(core) {
            *value = ValRaw::u64(core);
        }
        dst.write(values);
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

/// Passes arguments to the guest. Returns the core values.
fn lower<T>(
    signature: &Signature,
    arguments: &[u8],
    memory: &mut Lowered<'_, '_, T>,
) -> wasmtime::Result<Vec<u64>> {
    signature.lower(arguments, memory).map_err(|error| match error {
        LowerError::Mismatch(error) => wasmtime::Error::new(Mismatch(error)),
        LowerError::Memory(error) => error,
    })
}

/// Passes arguments to the guest that are not in memory.
fn lower_from<T>(
    signature: &Signature,
    source: &dyn ArgumentSource,
    memory: &mut Lowered<'_, '_, T>,
) -> wasmtime::Result<Vec<u64>> {
    if !signature.takes_only_bytes() {
        return lower(signature, &source.read()?, memory);
    }
    let mut head = [0; HEAD];
    source.read_to(&mut head)?;
    let Some(position) = position_of_bytes(&head, source.size()) else {
        let mut arguments = vec![0; source.size()];
        let (first, rest) = arguments.split_at_mut(HEAD);
        first.copy_from_slice(&head);
        source.read_to(rest)?;
        return lower(signature, &arguments, memory);
    };
    let length = u32::try_from(source.size() - position)?;
    let at = memory.allocate(1, length)?;
    let bytes = memory.allocated(at, length as usize)?;
    let (first, rest) = bytes.split_at_mut(HEAD - position);
    first.copy_from_slice(&head[position..]);
    source.read_to(rest)?;
    Ok(vec![at.into(), length.into()])
}

// SAFETY: a function returns at most one core value. `lift` compares the type with the signature.
unsafe impl ComponentType for Value {
    type Lower = [ValRaw; 1];

    const ABI: CanonicalAbiInfo = core_values(1);

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
}

// SAFETY: see `ComponentType`.
unsafe impl ComponentNamedList for Value {}

// SAFETY: the value is read as the type that the component declares, within the bounds of its memory.
unsafe impl Lift for Value {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        let signature = SIGNATURE.try_with(Arc::clone)?;
        let InterfaceType::Tuple(index) = ty else {
            wasmtime::bail!("the results are not a tuple");
        };
        let abi = &cx.types[index].abi;
        if (abi.size32, abi.align32) != signature.result_abi() {
            wasmtime::bail!("the result has another layout than hype computed");
        }
        let core = if abi.size32 == 0 { 0 } else { src[0].get_u64() };
        if let Some(bytes) = signature.returned_bytes(core, cx.memory())
            && transport::take([&head_of_bytes(u32::try_from(bytes.len())?), bytes])
        {
            cx.consume_fuel(bytes.len())?;
            return Ok(Self(Returned::Value(Vec::new())));
        }
        signature.lift(core, Lifted(cx)).map(Self).map_err(|error| match error {
            LiftError::Invalid(error) => wasmtime::Error::new(Invalid(error.to_string())),
            LiftError::Memory(error) => error,
        })
    }

    fn linear_lift_from_memory(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[u8],
    ) -> wasmtime::Result<Self> {
        wasmtime::bail!("a function's value is never inside another value")
    }
}

/// The memory of a guest that arguments are passed to.
pub(crate) struct Lowered<'c, 'a, T: 'static>(pub(crate) &'c mut LowerContext<'a, T>);

impl<T> Lowered<'_, '_, T> {
    /// Returns the bytes of an allocation.
    pub(crate) fn allocated(&mut self, at: u32, size: usize) -> wasmtime::Result<&mut [u8]> {
        let memory = self.0.as_slice_mut().get_mut(at as usize..);
        match memory.and_then(|memory| memory.get_mut(..size)) {
            Some(allocated) => Ok(allocated),
            None => wasmtime::bail!("an allocation is beyond the end of the memory"),
        }
    }
}

impl<T> GuestMemory for Lowered<'_, '_, T> {
    type Error = wasmtime::Error;

    fn allocate(&mut self, align: u32, size: u32) -> wasmtime::Result<u32> {
        // wasmtime checks that the memory contains the allocation.
        let at = self.0.realloc(0, 0, align, size as usize)?;
        Ok(u32::try_from(at)?)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> wasmtime::Result<()> {
        let targets = self.allocated(at, bytes.len())?.chunks_mut(COPIED_AT_ONCE);
        for (target, bytes) in targets.zip(bytes.chunks(COPIED_AT_ONCE)) {
            target.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> wasmtime::Result<(u32, u32)> {
        let mut core = MaybeUninit::uninit();
        text.linear_lower_to_flat(self.0, InterfaceType::String, &mut core)?;
        // SAFETY: wasmtime has written both core values.
        let [at, length]: [ValRaw; 2] = unsafe { core.assume_init() };
        Ok((at.get_u32(), length.get_u32()))
    }
}

/// The memory of a guest that a value is read from.
struct Lifted<'c, 'm>(&'c mut LiftContext<'m>);

impl<'m> ReturnedMemory<'m> for Lifted<'_, 'm> {
    type Error = wasmtime::Error;

    fn bytes(&self) -> &'m [u8] {
        self.0.memory()
    }

    fn charge(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.0.consume_fuel(bytes)
    }

    fn encoding(&self) -> TextEncoding {
        match self.0.options().string_encoding {
            StringEncoding::Utf8 => TextEncoding::Utf8,
            StringEncoding::Utf16 => TextEncoding::Utf16,
            StringEncoding::CompactUtf16 => TextEncoding::Latin1OrUtf16,
        }
    }

    #[cfg(target_os = "linux")]
    fn reserve_exact(&self, out: &mut Vec<u8>, additional: usize) {
        large_pages::reserve_exact(out, additional);
    }
}
