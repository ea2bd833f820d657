//! Decides whether a function can be called, and finds the types that it needs.

use wit_parser::{Function, FunctionKind, Resolve, Type, TypeDefKind, TypeId};

/// The maximum number of parameters, and of elements of a tuple, for which there are implementations of traits.
const MAX_ELEMENTS: usize = 12;

/// The maximum number of types in a function. WIT can declare types that are exponentially large.
const MAX_TYPES: usize = 10_000;

/// Returns the named types that `function` needs.
///
/// # Errors
///
/// The reason, if the function can't be called.
pub(super) fn types_of(resolve: &Resolve, function: &Function) -> Result<Vec<TypeId>, String> {
    match function.kind {
        FunctionKind::Freestanding => {}
        FunctionKind::AsyncFreestanding => return Err("it is async".to_owned()),
        _ => return Err("it belongs to a resource".to_owned()),
    }
    if function.params.len() > MAX_ELEMENTS {
        return Err(format!("it has more than {MAX_ELEMENTS} parameters"));
    }
    let mut needed = Needed { resolve, types: Vec::new(), left: MAX_TYPES };
    let parameters = function.params.iter().map(|parameter| &parameter.ty);
    parameters.chain(&function.result).try_for_each(|of| needed.add(of))?;
    Ok(needed.types)
}

/// The named types that a function needs.
struct Needed<'a> {
    resolve: &'a Resolve,
    types: Vec<TypeId>,
    left: usize,
}

impl Needed<'_> {
    /// Adds the named types in `of`.
    fn add(&mut self, of: &Type) -> Result<(), String> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(format!("it has more than {MAX_TYPES} types"));
        };
        self.left = left;
        let refused = |of: &str| Err(format!("its type contains {of}"));
        let id = match of {
            Type::ErrorContext => return refused("an error-context"),
            Type::Id(id) => *id,
            _ => return Ok(()),
        };
        let definition = &self.resolve.types[id];
        match &definition.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().try_for_each(|field| self.add(&field.ty))?;
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().flat_map(|case| &case.ty).try_for_each(|of| self.add(of))?;
            }
            TypeDefKind::Tuple(tuple) if tuple.types.len() > MAX_ELEMENTS => {
                return refused(&format!("a tuple of more than {MAX_ELEMENTS} elements"));
            }
            TypeDefKind::Tuple(tuple) => tuple.types.iter().try_for_each(|of| self.add(of))?,
            TypeDefKind::Result(result) => {
                result.ok.iter().chain(&result.err).try_for_each(|of| self.add(of))?;
            }
            TypeDefKind::Option(of) | TypeDefKind::List(of) | TypeDefKind::Type(of) => {
                self.add(of)?;
            }
            TypeDefKind::Flags(_) | TypeDefKind::Enum(_) => {}
            TypeDefKind::Resource | TypeDefKind::Handle(_) => return refused("a resource"),
            TypeDefKind::Future(_) => return refused("a future"),
            TypeDefKind::Stream(_) => return refused("a stream"),
            TypeDefKind::Map(..) => return refused("a map"),
            TypeDefKind::FixedLengthList(..) => return refused("a list of a fixed length"),
            TypeDefKind::Unknown => return refused("an unknown type"),
        }
        if definition.name.is_some() && !self.types.contains(&id) {
            self.types.push(id);
        }
        Ok(())
    }
}
