//! The memory of a guest, as the conversion of values uses it.

/// The bytes that are copied at once into a large buffer. glibc copies hundreds of MiB at once in another way, which is
/// slower where the system must still provide the pages.
pub const COPIED_AT_ONCE: usize = 1 << 20;

/// A guest's memory that arguments are written to.
pub trait GuestMemory {
    /// The error of an allocation or a write, which ends the call.
    type Error;

    /// Allocates `size` bytes in the guest and returns their address.
    ///
    /// # Errors
    ///
    /// Returns an error if the guest's allocator fails, or returns an address outside of the memory.
    fn allocate(&mut self, align: u32, size: u32) -> Result<u32, Self::Error>;

    /// Writes `bytes` at the address `at`.
    ///
    /// # Errors
    ///
    /// Returns an error if they don't fit into the memory.
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Writes `text` in the guest's encoding. Returns its address and its length in the guest's unit.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`allocate`](Self::allocate).
    fn write_text(&mut self, text: &str) -> Result<(u32, u32), Self::Error>;
}

/// A guest's memory that a value is read from.
pub trait ReturnedMemory<'m> {
    /// The error that ends the conversion.
    type Error;

    /// Returns the whole memory.
    fn bytes(&self) -> &'m [u8];

    /// Counts `bytes` that the host is about to copy.
    ///
    /// # Errors
    ///
    /// Returns an error if the host would copy more than the guest may return.
    fn charge(&mut self, bytes: usize) -> Result<(), Self::Error>;

    /// Returns the encoding of the guest's texts.
    fn encoding(&self) -> TextEncoding;

    /// Reserves room for exactly `additional` more bytes in `out`, for a byte string. The host may choose the pages of
    /// a large buffer.
    fn reserve_exact(&self, out: &mut Vec<u8>, additional: usize) {
        out.reserve_exact(additional);
    }
}

/// The encoding of texts in a guest's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8. A text's length counts bytes.
    Utf8,
    /// UTF-16. A text's length counts units of two bytes.
    Utf16,
    /// Latin-1, or UTF-16 if the length has its highest bit.
    Latin1OrUtf16,
}

/// The error of arguments that need more than 4 GiB.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// A memory that only counts what is allocated in it, to check arguments without a guest.
#[derive(Debug, Default)]
pub(super) struct CountedMemory {
    used: u32,
}

impl GuestMemory for CountedMemory {
    type Error = TooLarge;

    fn allocate(&mut self, align: u32, size: u32) -> Result<u32, TooLarge> {
        let at = self.used.checked_next_multiple_of(align).ok_or(TooLarge)?;
        self.used = at.checked_add(size).ok_or(TooLarge)?;
        Ok(at)
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), TooLarge> {
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> Result<(u32, u32), TooLarge> {
        let length = u32::try_from(text.len()).map_err(|_| TooLarge)?;
        Ok((self.allocate(1, length)?, length))
    }
}

/// A memory in this process, with UTF-8 texts.
#[derive(Debug, Default)]
pub(super) struct OwnMemory(pub(super) Vec<u8>);

impl GuestMemory for OwnMemory {
    type Error = TooLarge;

    fn allocate(&mut self, align: u32, size: u32) -> Result<u32, TooLarge> {
        let used = u32::try_from(self.0.len()).map_err(|_| TooLarge)?;
        let at = used.checked_next_multiple_of(align).ok_or(TooLarge)?;
        let end = at.checked_add(size).ok_or(TooLarge)?;
        self.0.resize(end as usize, 0);
        Ok(at)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), TooLarge> {
        let target = self.0.get_mut(at as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
        target.ok_or(TooLarge)?.copy_from_slice(bytes);
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> Result<(u32, u32), TooLarge> {
        let length = u32::try_from(text.len()).map_err(|_| TooLarge)?;
        let at = self.allocate(1, length)?;
        self.write(at, text.as_bytes())?;
        Ok((at, length))
    }
}

impl<'m> ReturnedMemory<'m> for &'m OwnMemory {
    type Error = TooLarge;

    fn bytes(&self) -> &'m [u8] {
        &self.0
    }

    fn charge(&mut self, _: usize) -> Result<(), TooLarge> {
        Ok(())
    }

    fn encoding(&self) -> TextEncoding {
        TextEncoding::Utf8
    }
}
