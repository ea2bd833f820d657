//! The conversion of a function's arguments and of its value.

use crate::codec;
use crate::error::{Fault, WireError};
use crate::value_type::WitType;
use crate::wit::flat::{flatten, unflatten};
use crate::wit::layout::{Kind, Layout};
use crate::wit::lift::{LiftError, Lifting, Returned};
use crate::wit::lower::{LowerError, Lowering};
use crate::wit::memory::{CountedMemory, GuestMemory, OwnMemory, ReturnedMemory, TooLarge};

/// The maximum number of core values of the parameters. With more of them, the parameters are in memory.
const MAX_FLAT_PARAMETERS: usize = 16;

/// The parameters and the result of a WIT function, ready to convert values.
///
/// ```
/// use hype_wire::wit::Signature;
/// use hype_wire::{WitType, codec};
///
/// let signature = Signature::new(&[("n".to_owned(), WitType::U32)], None)?;
/// signature.check(&codec::to_vec(&(7,))?)?;
/// let error = signature.check(&codec::to_vec(&("ten",))?).unwrap_err();
/// assert_eq!(error.to_string(), r#"argument 1 (n): expected u32, found "ten""#);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct Signature {
    names: Vec<String>,
    /// A tuple.
    parameters: Layout,
    result: Option<Layout>,
}

impl Signature {
    /// Creates the signature of a function with these `parameters` and this type of `result`.
    ///
    /// # Errors
    ///
    /// Returns an error if a type nests too deep, or is larger than a memory.
    pub fn new(
        parameters: &[(String, WitType)],
        result: Option<&WitType>,
    ) -> Result<Self, WireError> {
        let names = parameters.iter().map(|(name, _)| name.clone()).collect();
        let types = parameters.iter().map(|(_, of)| Layout::new(of)).collect::<Result<_, _>>()?;
        let result = result.map(Layout::new).transpose()?;
        Ok(Self { names, parameters: Layout::tuple(types)?, result })
    }

    /// Returns the layout of the tuple of parameters.
    pub(super) fn parameters(&self) -> &Layout {
        &self.parameters
    }

    /// Returns the layout of the result, if there is one.
    pub(super) fn result(&self) -> Option<&Layout> {
        self.result.as_ref()
    }

    /// Returns the size and the alignment of the parameters in memory, in bytes.
    pub fn parameters_abi(&self) -> (u32, u32) {
        (self.parameters.size, self.parameters.align)
    }

    /// Returns the number of core values of the parameters: 1, a pointer, if they are in memory.
    pub fn core_parameters(&self) -> usize {
        if self.parameters.flat > MAX_FLAT_PARAMETERS { 1 } else { self.parameters.flat }
    }

    /// Returns the size and the alignment of the result in memory, in bytes.
    pub fn result_abi(&self) -> (u32, u32) {
        self.result.as_ref().map_or((0, 1), |of| (of.size, of.align))
    }

    /// Checks that `arguments`, a MessagePack array, fit the parameters. Returns the arguments without
    /// texts that a user typed, if there are any.
    ///
    /// # Errors
    ///
    /// Returns an error that names the argument, the path in it, the expected type and the found value.
    pub fn check(&self, arguments: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
        let is_typed = |mut rest: &[u8]| rmp::decode::read_ext_meta(&mut rest).is_ok();
        let (_, rest) = codec::split_array_head(arguments)?;
        let mut unread = rest;
        let mut has_typed = false;
        while !unread.is_empty() && !has_typed {
            has_typed = is_typed(unread);
            (_, unread) = crate::shape::split_value(unread)?;
        }
        let checked = |error| match error {
            LowerError::Mismatch(error) => error,
            LowerError::Memory(TooLarge) => WireError::new("the arguments need more than 4 GiB"),
        };
        if !has_typed {
            self.write(arguments, &mut CountedMemory::default()).map_err(checked)?;
            return Ok(None);
        }
        let mut memory = OwnMemory::default();
        let parameters = self.write(arguments, &mut memory).map_err(checked)?;
        let mut lifting = Lifting::new(&memory);
        match lifting.value(&self.parameters, &parameters).and_then(|()| lifting.finish()) {
            Ok(arguments) => Ok(Some(arguments)),
            Err(LiftError::Invalid(error)) => Err(WireError::new(error.to_string())),
            Err(LiftError::Memory(TooLarge)) => Err(checked(LowerError::Memory(TooLarge))),
        }
    }

    /// Passes `arguments`, a MessagePack array, to a guest. Returns the core values of the parameters.
    ///
    /// # Errors
    ///
    /// Returns an error if the arguments don't fit the parameters or the guest's memory.
    pub fn lower<M: GuestMemory>(
        &self,
        arguments: &[u8],
        memory: &mut M,
    ) -> Result<Vec<u64>, LowerError<M::Error>> {
        let bytes = self.write(arguments, memory)?;
        let mut core = Vec::with_capacity(MAX_FLAT_PARAMETERS);
        if self.parameters.flat > MAX_FLAT_PARAMETERS {
            let Layout { size, align, .. } = self.parameters;
            let at = memory.allocate(align, size).map_err(LowerError::Memory)?;
            memory.write(at, &bytes).map_err(LowerError::Memory)?;
            core.push(at.into());
        } else {
            flatten(&self.parameters, &bytes, &mut core);
        }
        Ok(core)
    }

    /// Writes what the arguments refer to. Returns the bytes of the tuple of parameters.
    fn write<M: GuestMemory>(
        &self,
        arguments: &[u8],
        memory: &mut M,
    ) -> Result<Vec<u8>, LowerError<M::Error>> {
        let Kind::Tuple(types) = &self.parameters.kind else {
            return Ok(Vec::new());
        };
        let (count, rest) = codec::split_array_head(arguments).map_err(LowerError::Mismatch)?;
        if count as usize != types.len() {
            let arguments = if types.len() == 1 { "argument" } else { "arguments" };
            let names = self.names.join(", ");
            let message = format!("expected {} {arguments} ({names}), found {count}", types.len());
            return Err(LowerError::Mismatch(WireError::new(message)));
        }
        let mut bytes = vec![0; self.parameters.size as usize];
        let mut lowering = Lowering::new(rest, memory);
        for (index, ((at, of), name)) in types.iter().zip(&self.names).enumerate() {
            let out = bytes.get_mut(*at as usize..).and_then(|it| it.get_mut(..of.size as usize));
            let written = lowering.argument(of, out.unwrap_or_default());
            written.map_err(|problem| problem.of_argument(index + 1, name))?;
        }
        if !lowering.rest().is_empty() {
            let error = WireError::new("something follows the arguments");
            return Err(LowerError::Mismatch(error.with_fault(Fault::Malformed)));
        }
        Ok(bytes)
    }

    /// Reads the function's value. `core` is the core value that the function returned, a pointer if the
    /// result has more than one.
    ///
    /// # Errors
    ///
    /// Returns an error if the guest returned something that is not a value of the type, or too much.
    pub fn lift<'m, M: ReturnedMemory<'m>>(
        &self,
        core: u64,
        memory: M,
    ) -> Result<Returned, LiftError<M::Error>> {
        let Some(of) = &self.result else {
            return Lifting::new(memory).returned(None, &[]);
        };
        if of.flat <= 1 {
            let bytes = unflatten(of, core);
            let bytes = bytes.get(..of.size as usize).unwrap_or_default();
            return Lifting::new(memory).returned(Some(of), bytes);
        }
        // A pointer in a 32-bit memory.
        let at = core as u32;
        let bytes = memory.bytes().get(at as usize..).and_then(|it| it.get(..of.size as usize));
        let bytes = bytes
            .filter(|_| at.is_multiple_of(of.align))
            .ok_or_else(|| LiftError::invalid("a result that is not within the memory"))?;
        Lifting::new(memory).returned(Some(of), bytes)
    }
}

impl<'m, M: ReturnedMemory<'m>> Lifting<'m, M> {
    /// Reads the value of a function in `bytes`.
    fn returned(
        mut self,
        of: Option<&Layout>,
        bytes: &[u8],
    ) -> Result<Returned, LiftError<M::Error>> {
        match of.map(|of| &of.kind) {
            Some(Kind::Result { payload_at, ok, err }) => {
                let is_error = self.is_error(bytes)?;
                let of = if is_error { err } else { ok };
                let of = of.as_deref();
                self.optional(of, bytes.get(*payload_at as usize..).unwrap_or_default())?;
                self.finish().map(if is_error { Returned::Error } else { Returned::Value })
            }
            _ => {
                self.optional(of, bytes)?;
                self.finish().map(Returned::Value)
            }
        }
    }
}
