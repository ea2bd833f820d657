use serde::{Deserialize, Serialize};

use crate::buffer::BufferType;
use crate::bytes::Bytes;
use crate::codec;
use crate::error::{Fault, WireError};
use crate::shape::split_value;

/// The input of a program: its arguments after its name, and its standard input.
///
/// ```
/// use hype_wire::ProgramArguments;
///
/// let arguments = ProgramArguments { args: vec!["-n".into()], stdin: b"text".to_vec().into() };
/// let encoded = arguments.to_message_pack()?;
/// assert_eq!(ProgramArguments::from_message_pack(&encoded)?, arguments);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgramArguments {
    /// The arguments, without the program's name.
    pub args: Vec<String>,
    /// All bytes of the standard input.
    pub stdin: Bytes,
}

impl ProgramArguments {
    /// Encodes the arguments of a call: an array with the list of arguments and the standard input.
    ///
    /// # Errors
    ///
    /// Returns an error if the standard input exceeds 4 GiB.
    pub fn to_message_pack(&self) -> Result<Vec<u8>, WireError> {
        let mut bytes = codec::array_head(2);
        codec::append(&mut bytes, &self.args)?;
        codec::append(&mut bytes, &self.stdin)?;
        Ok(bytes)
    }

    /// Decodes the arguments of a call.
    ///
    /// # Errors
    ///
    /// Returns an error if `bytes` aren't the arguments of a program.
    pub fn from_message_pack(bytes: &[u8]) -> Result<Self, WireError> {
        let (args, stdin) = Self::split(bytes)?;
        Ok(Self { args, stdin: stdin.to_vec().into() })
    }

    /// Decodes the arguments of a call. Returns the program's arguments, and its standard input without a copy.
    ///
    /// # Errors
    ///
    /// Returns an error if `bytes` aren't the arguments of a program.
    pub fn split(bytes: &[u8]) -> Result<(Vec<String>, &[u8]), WireError> {
        let (count, elements) = codec::split_array_head(bytes)?;
        let (args, stdin) = split_value(elements)?;
        let stdin = BufferType::Bytes.content(stdin).filter(|_| count == 2).ok_or_else(|| {
            let problem = "expected a list of arguments and a standard input";
            WireError::new(problem).with_fault(Fault::Malformed)
        })?;
        Ok((codec::from_slice(args)?, stdin))
    }
}

/// The end of a program and all of its output, like [`std::process::Output`].
///
/// It is the value of a program that exits with 0. After any other end it is the value of the
/// [`Failure`](crate::Failure), and `status` is `None` unless the program exited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgramOutput {
    /// The exit status; `None` if the program trapped or was stopped.
    pub status: Option<u8>,
    /// All bytes that the program wrote to its standard output.
    pub stdout: Vec<u8>,
    /// All bytes that the program wrote to its standard error.
    pub stderr: Vec<u8>,
}
