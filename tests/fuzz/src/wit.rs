//! The conversion of random values of random WIT types.

#![expect(clippy::expect_used, reason = "a broken invariant panics")]

mod choices;

use hype_wire::WitType;
use hype_wire::wit::{GuestMemory, Returned, ReturnedMemory, TextEncoding};

use choices::{Choices, signature};

/// Converts a random value of a random type to a memory and back, and then what is left of the input: bytes as
/// arguments, and as the memory of a hostile guest.
pub(crate) fn wit(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let of = WitType::List(Box::new(choices.of()));
    let signature = signature(&of);
    let mut arguments = vec![0x91];
    choices.value(&of, &mut arguments);
    signature.check(&arguments).expect("a value of the type fits");
    let mut memory = Memory::default();
    let core = signature.lower(&arguments, &mut memory).expect("the value fits into a memory");
    let pointer_and_length: Vec<_> =
        core.iter().flat_map(|core| (*core as u32).to_le_bytes()).collect();
    let at = memory.allocate(4, 8).expect("8 bytes");
    memory.write(at, &pointer_and_length).expect("an allocation");
    let returned = signature.lift(at.into(), &memory).expect("the value can be read");
    assert_eq!(returned, Returned::Value(arguments[1..].to_vec()), "{of}");

    // Any bytes as arguments.
    let any = [&[0x91], choices.bytes].concat();
    match signature.check(&any) {
        Ok(_) => assert!(signature.lower(&any, &mut Memory::default()).is_ok()),
        Err(error) => assert!(error.to_string().len() < 4096, "{error}"),
    }
    // Any bytes as the memory of a guest.
    let memory = Memory(bytes.to_vec());
    for at in [0, 4, 8, 64, u64::from(u32::MAX), u64::MAX] {
        if let Ok(Returned::Value(value)) = signature.lift(at, &memory) {
            signature.check(&[&[0x91], &value[..]].concat()).expect("a value that was read fits");
        }
    }
    true
}

/// A memory of at most 4 MiB.
#[derive(Debug, Default)]
struct Memory(Vec<u8>);

impl GuestMemory for Memory {
    type Error = ();

    fn allocate(&mut self, align: u32, size: u32) -> Result<u32, ()> {
        let at = self.0.len().next_multiple_of(align as usize);
        let end = at + size as usize;
        if end > 4 << 20 {
            return Err(());
        }
        self.0.resize(end, 0);
        Ok(at as u32)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), ()> {
        self.0[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> Result<(u32, u32), ()> {
        let at = self.allocate(1, text.len() as u32)?;
        self.write(at, text.as_bytes())?;
        Ok((at, text.len() as u32))
    }
}

impl<'m> ReturnedMemory<'m> for &'m Memory {
    type Error = &'static str;

    fn bytes(&self) -> &'m [u8] {
        &self.0
    }

    fn charge(&mut self, bytes: usize) -> Result<(), &'static str> {
        if bytes > 64 << 20 { Err("too much") } else { Ok(()) }
    }

    fn encoding(&self) -> TextEncoding {
        TextEncoding::Utf8
    }
}
