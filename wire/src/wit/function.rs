//! The description of a function that a component exports with WIT types.

use std::fmt;

use crate::call::FunctionRef;
use crate::error::WireError;
use crate::value_type::WitType;
use crate::wit::signature::Signature;

/// A function that a component exports with WIT types.
///
/// ```
/// use hype_wire::WitType;
/// use hype_wire::wit::WitFunction;
///
/// let function = WitFunction {
///     interface: Some("acme:text/stats@1.2.0".to_owned()),
///     name: "top".to_owned(),
///     docs: String::new(),
///     parameters: vec![("n".to_owned(), WitType::U32)],
///     result: Some(WitType::List(Box::new(WitType::String))),
///     refusal: None,
/// };
/// assert_eq!(function.to_string(), "top: func(n: u32) -> list<string>");
/// assert!(function.is_called("acme:text/stats.top") && function.is_called("top"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitFunction {
    /// The interface and its version; `None` for an export of the world.
    pub interface: Option<String>,
    /// The function's name.
    pub name: String,
    /// The doc comment, if the component has it; else empty.
    pub docs: String,
    /// The names and types of the parameters.
    pub parameters: Vec<(String, WitType)>,
    /// The type of the result, if there is one.
    pub result: Option<WitType>,
    /// The reason why the function can't be called, such as `it is async`. Its parameters and result are
    /// then empty.
    pub refusal: Option<String>,
}

impl WitFunction {
    /// Returns the name by which calls refer to the function.
    pub fn reference(&self) -> FunctionRef {
        FunctionRef::Export { interface: self.interface.clone(), function: self.name.clone() }
    }

    /// Returns whether `name` names the function: `acme:text/stats@1.2.0.top`, `acme:text/stats.top` or
    /// `top`.
    pub fn is_called(&self, name: &str) -> bool {
        let Some(interface) = name.strip_suffix(&*self.name) else {
            return false;
        };
        match (interface.strip_suffix('.'), &self.interface) {
            (Some(given), Some(interface)) => {
                let unversioned = interface.split_once('@').map_or(&**interface, |(name, _)| name);
                given == interface || given == unversioned
            }
            (Some(_), None) => false,
            (None, _) => interface.is_empty(),
        }
    }

    /// Returns the conversion of its arguments and its value.
    ///
    /// # Errors
    ///
    /// Returns an error if a type nests too deep, or is larger than a memory.
    pub fn signature(&self) -> Result<Signature, WireError> {
        Signature::new(&self.parameters, self.result.as_ref())
    }
}

/// Writes the function in WIT: `top: func(text: string) -> list<string>`.
impl fmt::Display for WitFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: func", self.name)?;
        if self.refusal.is_some() {
            return Ok(());
        }
        f.write_str("(")?;
        for (index, (name, of)) in self.parameters.iter().enumerate() {
            write!(f, "{}{name}: {of}", if index == 0 { "" } else { ", " })?;
        }
        f.write_str(")")?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}
