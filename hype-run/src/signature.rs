//! The types of a component's functions, as wasmtime reports them.

use hype_wire::WitType;
use hype_wire::wit::{Signature, TypeBudget};
use wasmtime::component::types::{ComponentFunc, Type};

/// Returns the conversion of the arguments and the value of `function`.
///
/// # Errors
///
/// The reason why hype can't call the function.
pub(crate) fn signature(function: &ComponentFunc) -> Result<Signature, String> {
    if function.async_() {
        return Err("it is async".to_owned());
    }
    let mut budget = TypeBudget::of_function();
    let parameters = function
        .params()
        .map(|(name, of)| Ok((copied(name, &mut budget)?, wit(&of, &mut budget)?)));
    let parameters = parameters.collect::<Result<Vec<_>, String>>()?;
    let results = function.results().map(|of| wit(&of, &mut budget));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    Signature::new(&parameters, results.first()).map_err(|error| error.to_string())
}

/// Copies the name of a parameter, field, case or flag.
fn copied(name: &str, budget: &mut TypeBudget) -> Result<String, String> {
    match budget.charge_name(name) {
        true => Ok(name.to_owned()),
        false => Err(TypeBudget::EXCEEDED.to_owned()),
    }
}

fn wit(of: &Type, budget: &mut TypeBudget) -> Result<WitType, String> {
    if !budget.charge_type() {
        return Err(TypeBudget::EXCEEDED.to_owned());
    }
    let boxed = |of: Option<Type>, budget: &mut TypeBudget| {
        of.map(|of| wit(&of, budget).map(Box::new)).transpose()
    };
    let names = |names: &mut dyn Iterator<Item = &str>, budget: &mut TypeBudget| {
        names.map(|name| copied(name, budget)).collect::<Result<_, _>>()
    };
    Ok(match of {
        Type::Bool => WitType::Bool,
        Type::S8 => WitType::S8,
        Type::U8 => WitType::U8,
        Type::S16 => WitType::S16,
        Type::U16 => WitType::U16,
        Type::S32 => WitType::S32,
        Type::U32 => WitType::U32,
        Type::S64 => WitType::S64,
        Type::U64 => WitType::U64,
        Type::Float32 => WitType::F32,
        Type::Float64 => WitType::F64,
        Type::Char => WitType::Char,
        Type::String => WitType::String,
        Type::List(list) => WitType::List(Box::new(wit(&list.ty(), budget)?)),
        Type::Option(option) => WitType::Option(Box::new(wit(&option.ty(), budget)?)),
        Type::Result(result) => {
            WitType::Result { ok: boxed(result.ok(), budget)?, err: boxed(result.err(), budget)? }
        }
        Type::Tuple(tuple) => {
            WitType::Tuple(tuple.types().map(|of| wit(&of, budget)).collect::<Result<_, _>>()?)
        }
        Type::Record(record) => {
            let fields = record
                .fields()
                .map(|field| Ok((copied(field.name, budget)?, wit(&field.ty, budget)?)));
            WitType::Record(fields.collect::<Result<_, String>>()?)
        }
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| {
                Ok((copied(case.name, budget)?, case.ty.map(|of| wit(&of, budget)).transpose()?))
            });
            WitType::Variant(cases.collect::<Result<_, String>>()?)
        }
        Type::Enum(of) => WitType::Enum(names(&mut of.names(), budget)?),
        Type::Flags(of) => WitType::Flags(names(&mut of.names(), budget)?),
        Type::Own(_) | Type::Borrow(_) => return Err("its type contains a resource".to_owned()),
        Type::Future(_) => return Err("its type contains a future".to_owned()),
        Type::Stream(_) => return Err("its type contains a stream".to_owned()),
        Type::ErrorContext => return Err("its type contains an error-context".to_owned()),
        Type::Map(_) => return Err("its type contains a map".to_owned()),
        Type::FixedLengthList(_) => {
            return Err("its type contains a list of a fixed length".to_owned());
        }
    })
}
