//! The functions that a component exports with WIT types, read without compiling it.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use hype_wire::WitType;
use hype_wire::wit::{TypeBudget, WitFunction};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId,
    ComponentInstanceTypeId, ComponentValType,
};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Parser, Payload, PrimitiveValType, ValidPayload, Validator, WasmFeatures};

use crate::call::component::docs::Docs;

/// The interface of closures, whose function is called through the names of closures.
pub(super) const CLOSURES: &str = "spotify:hype/closure@";

/// The custom section with the doc comments of a WIT package.
const DOCS: &str = "package-docs";

type Malformed = Box<dyn std::error::Error + Send + Sync>;

/// The types of a component's exports and imports.
#[derive(Debug)]
pub(super) struct ComponentTypes {
    /// The functions that the component exports, in the order of its exports.
    pub(super) functions: Vec<Arc<WitFunction>>,
    /// The names of the imports that need no implementation: types, and interfaces without functions and resources.
    pub(super) type_imports: Vec<String>,
}

/// Reads the types of the component `bytes`.
///
/// # Errors
///
/// If `bytes` aren't a valid component.
pub(super) fn read(bytes: &[u8]) -> Result<ComponentTypes, Malformed> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let (mut docs, mut names, mut imports) = (Docs::default(), Vec::new(), Vec::new());
    // The number of modules and components around a section, without the outermost component.
    let mut depth = 0_usize;
    let mut types: Option<Types> = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if depth == 0 && custom.name() == DOCS => {
                docs = Docs::of(custom.data());
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports.clone() {
                    names.push(export?.name.name.to_owned());
                }
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section.clone() {
                    imports.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
        // Bodies of functions have no part in the types of a component.
        if let ValidPayload::End(of) = validator.payload(&payload)? {
            types = Some(of);
        }
    }
    let types = types.ok_or("it ends too early")?;
    let types = types.as_ref();
    let component = TypeBudget::of_component();
    let function = TypeBudget::of_function();
    let shared_names = shared_names(types, &names);
    let mut reader = Reader { types, component, function, docs, shared_names };
    let functions = names.iter().flat_map(|name| reader.export(name)).map(Arc::new).collect();
    imports.retain(|import| is_types_alone(reader.types, import));
    Ok(ComponentTypes { functions, type_imports: imports })
}

/// Returns the names, without packages and versions, of which the interfaces among `exports` have several.
fn shared_names(types: TypesRef<'_>, exports: &[String]) -> HashSet<String> {
    let is_interface = |name: &&String| {
        let item = types.component_item_for_export(name);
        matches!(item.map(|item| item.ty), Some(ComponentEntityType::Instance(_)))
    };
    let mut seen = HashSet::new();
    let keys = exports.iter().filter(is_interface).map(|name| Docs::key(name));
    keys.filter(|key| !seen.insert(*key)).map(str::to_owned).collect()
}

/// Returns whether componentize-py initializes a component by the interface `name`, before it writes the component.
/// `hype::component!` leaves it out, too.
fn initializes_python(types: TypesRef<'_>, name: &str, interface: ComponentInstanceTypeId) -> bool {
    let exports = &types[interface].exports;
    let is_function = |of: ComponentEntityType| matches!(of, ComponentEntityType::Func(_));
    let parameters = |of: ComponentEntityType| match of {
        ComponentEntityType::Func(id) => types[id]
            .params
            .iter()
            .map(|(name, _)| name.as_str())
            .take(2)
            .eq(["app-name", "symbols"]),
        _ => false,
    };
    name == "exports"
        && exports.values().filter(|item| is_function(item.ty)).count() == 1
        && exports.get("init").is_some_and(|item| parameters(item.ty))
}

/// Returns whether the import `name` has neither functions nor resources.
fn is_types_alone(types: TypesRef<'_>, name: &str) -> bool {
    let is_type = |of: &ComponentEntityType| match of {
        ComponentEntityType::Type { referenced, .. } => {
            !matches!(referenced, ComponentAnyTypeId::Resource(_))
        }
        _ => false,
    };
    match types.component_item_for_import(name).map(|item| item.ty) {
        Some(ComponentEntityType::Instance(id)) => {
            types[id].exports.values().all(|item| is_type(&item.ty))
        }
        Some(of) => is_type(&of),
        None => false,
    }
}

struct Reader<'a> {
    types: TypesRef<'a>,
    component: TypeBudget,
    /// The budget of the function that is being read.
    function: TypeBudget,
    docs: Docs,
    /// The names that interfaces of several packages, or several versions of one, have.
    shared_names: HashSet<String>,
}

impl Reader<'_> {
    /// Returns the functions of the export `name` of the component: itself, or those of an interface.
    fn export(&mut self, name: &str) -> Vec<WitFunction> {
        match self.types.component_item_for_export(name).map(|item| item.ty) {
            Some(ComponentEntityType::Func(id)) => vec![self.function(None, name, id)],
            Some(ComponentEntityType::Instance(id))
                if !name.starts_with(CLOSURES) && !initializes_python(self.types, name, id) =>
            {
                let exports = &self.types[id].exports;
                let functions = exports.iter().filter_map(|(name, item)| match item.ty {
                    ComponentEntityType::Func(id) => Some((name.clone(), id)),
                    _ => None,
                });
                let functions: Vec<_> = functions.collect();
                functions.iter().map(|(inner, id)| self.function(Some(name), inner, *id)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn function(
        &mut self,
        interface: Option<&str>,
        name: &str,
        id: ComponentFuncTypeId,
    ) -> WitFunction {
        let (parameters, result, refusal) = match self.signature(name, id) {
            Ok((parameters, result)) => (parameters, result, None),
            Err(reason) => (Vec::new(), None, Some(reason)),
        };
        let docs = match interface {
            // The section has the interfaces of one package, and doesn't name it.
            Some(interface) if self.shared_names.contains(Docs::key(interface)) => String::new(),
            interface => self.docs.of_function(interface, name),
        };
        WitFunction {
            docs,
            interface: interface.map(str::to_owned),
            name: name.to_owned(),
            parameters,
            result,
            refusal,
        }
    }

    /// Returns the parameters and the result, or the reason why the function can't be called.
    fn signature(&mut self, name: &str, id: ComponentFuncTypeId) -> Result<SignatureTypes, String> {
        let types = self.types;
        let of = &types[id];
        // The names of methods and constructors of resources begin with `[`.
        if name.starts_with('[') {
            return Err("it belongs to a resource".to_owned());
        }
        if of.async_ {
            return Err("it is async".to_owned());
        }
        self.function = TypeBudget::of_function();
        let parameters = of.params.iter();
        let parameters = parameters.map(|(name, of)| Ok((self.name(name)?, self.wit(*of)?)));
        let parameters = parameters.collect::<Result<_, String>>()?;
        let result = of.result.map(|of| self.wit(of)).transpose()?;
        Ok((parameters, result))
    }

    fn wit(&mut self, of: ComponentValType) -> Result<WitType, String> {
        if !self.function.charge_type() || !self.component.charge_type() {
            return Err(TypeBudget::EXCEEDED.to_owned());
        }
        let id = match of {
            ComponentValType::Primitive(of) => return primitive(of),
            ComponentValType::Type(id) => id,
        };
        let refused = |of: &str| Err(format!("its type contains {of}"));
        let types = self.types;
        Ok(match &types[id] {
            ComponentDefinedType::Primitive(of) => primitive(*of)?,
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|(name, of)| Ok((self.name(name)?, self.wit(*of)?)));
                WitType::Record(fields.collect::<Result<_, String>>()?)
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases =
                    cases.map(|(name, case)| Ok((self.name(name)?, self.optional(case.ty)?)));
                WitType::Variant(cases.collect::<Result<_, String>>()?)
            }
            ComponentDefinedType::List { element, .. } => {
                WitType::List(Box::new(self.wit(*element)?))
            }
            ComponentDefinedType::Tuple(tuple) => WitType::Tuple(
                tuple.types.iter().map(|of| self.wit(*of)).collect::<Result<_, _>>()?,
            ),
            ComponentDefinedType::Flags(names) => {
                WitType::Flags(names.iter().map(|name| self.name(name)).collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Enum(names) => {
                WitType::Enum(names.iter().map(|name| self.name(name)).collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Option { ty, .. } => WitType::Option(Box::new(self.wit(*ty)?)),
            ComponentDefinedType::Result { ok, err, .. } => {
                let (ok, err) = (self.optional(*ok)?, self.optional(*err)?);
                WitType::Result { ok: ok.map(Box::new), err: err.map(Box::new) }
            }
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => {
                return refused("a resource");
            }
            ComponentDefinedType::Future { .. } => return refused("a future"),
            ComponentDefinedType::Stream { .. } => return refused("a stream"),
            ComponentDefinedType::Map { .. } => return refused("a map"),
            ComponentDefinedType::FixedLengthList { .. } => {
                return refused("a list of a fixed length");
            }
        })
    }

    /// Copies the name of a parameter, field, case or flag.
    fn name(&mut self, name: &str) -> Result<String, String> {
        match self.function.charge_name(name) && self.component.charge_name(name) {
            true => Ok(name.to_owned()),
            false => Err(TypeBudget::EXCEEDED.to_owned()),
        }
    }

    fn optional(&mut self, of: Option<ComponentValType>) -> Result<Option<WitType>, String> {
        of.map(|of| self.wit(of)).transpose()
    }
}

type SignatureTypes = (Vec<(String, WitType)>, Option<WitType>);

fn primitive(of: PrimitiveValType) -> Result<WitType, String> {
    Ok(match of {
        PrimitiveValType::Bool => WitType::Bool,
        PrimitiveValType::S8 => WitType::S8,
        PrimitiveValType::U8 => WitType::U8,
        PrimitiveValType::S16 => WitType::S16,
        PrimitiveValType::U16 => WitType::U16,
        PrimitiveValType::S32 => WitType::S32,
        PrimitiveValType::U32 => WitType::U32,
        PrimitiveValType::S64 => WitType::S64,
        PrimitiveValType::U64 => WitType::U64,
        PrimitiveValType::F32 => WitType::F32,
        PrimitiveValType::F64 => WitType::F64,
        PrimitiveValType::Char => WitType::Char,
        PrimitiveValType::String => WitType::String,
        PrimitiveValType::ErrorContext => {
            return Err("its type contains an error-context".to_owned());
        }
    })
}
