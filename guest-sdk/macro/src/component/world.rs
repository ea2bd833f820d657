//! Selects the functions of a world that can be called, and the types that they need.

use std::collections::HashMap;

use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;
use wit_parser::{
    Docs, Function, Interface, InterfaceId, Resolve, TypeId, TypeOwner, WorldId, WorldItem,
    WorldKey,
};

use crate::component::names;
use crate::component::needed::types_of;

/// The items that are generated for a world.
pub(super) struct World<'a> {
    pub(super) resolve: &'a Resolve,
    modules: IndexMap<Option<InterfaceId>, Module<'a>>,
}

/// The items of an interface, or of the world itself.
pub(super) struct Module<'a> {
    /// The name; `None` for the world itself.
    pub(super) name: Option<Ident>,
    pub(super) docs: &'a Docs,
    /// The name of the interface in its component, if the component exports it.
    pub(super) interface: Option<String>,
    pub(super) functions: Vec<&'a Function>,
    /// The names of the functions that can't be called, with the reasons.
    pub(super) left_out: Vec<(&'a str, String)>,
    pub(super) types: Vec<TypeId>,
}

impl Module<'_> {
    /// Returns the functions that can't be called, each with the reason.
    pub(super) fn left_out(&self) -> impl Iterator<Item = String> {
        self.left_out.iter().map(|(name, reason)| format!("`{name}`: {reason}"))
    }

    /// Returns the part of the doc comment that lists the functions that can't be called.
    pub(super) fn left_out_docs(&self) -> Option<TokenStream> {
        let list: String = self.left_out().map(|function| format!("\n- {function}")).collect();
        let docs = format!("\n\nhype can't call these functions:\n{list}");
        (!list.is_empty()).then(|| quote!(#[doc = #docs]))
    }
}

impl<'a> World<'a> {
    /// # Errors
    ///
    /// If the world exports no function that can be called.
    pub(super) fn of(resolve: &'a Resolve, id: WorldId) -> Result<Self, String> {
        let world = &resolve.worlds[id];
        let mut selected = Self { resolve, modules: IndexMap::new() };
        for (key, item) in &world.exports {
            let name = resolve.name_world_key(key);
            match item {
                WorldItem::Function(function) => selected.select(None, function),
                WorldItem::Interface { id, .. }
                    if !initializes_python(&name, &resolve.interfaces[*id]) =>
                {
                    let functions = resolve.interfaces[*id].functions.values();
                    functions.for_each(|function| selected.select(Some(*id), function));
                    if let Some(module) = selected.modules.get_mut(&Some(*id)) {
                        module.interface = Some(name);
                    }
                }
                _ => {}
            }
        }
        if selected.modules.values().all(|module| module.functions.is_empty()) {
            let left_out = selected.modules.values().flat_map(Module::left_out);
            let left_out: String = left_out.map(|function| format!("\n{function}")).collect();
            return Err(format!(
                "the world `{}` exports no function that hype can call{left_out}",
                world.name
            ));
        }
        selected.set_names(id);
        Ok(selected)
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &Module<'a>> {
        self.modules.values()
    }

    /// Returns the module of the types of `interface`.
    pub(super) fn module_of(&self, interface: Option<InterfaceId>) -> Option<&Module<'a>> {
        self.modules.get(&interface)
    }

    /// Adds a function and the types that it needs, or the reason why it can't be called.
    fn select(&mut self, interface: Option<InterfaceId>, function: &'a Function) {
        let types = match types_of(self.resolve, function) {
            Ok(types) => types,
            Err(reason) => {
                self.module(interface).left_out.push((&function.name, reason));
                return;
            }
        };
        for id in types {
            let module = self.module(owner(self.resolve, id));
            if !module.types.contains(&id) {
                module.types.push(id);
            }
        }
        self.module(interface).functions.push(function);
    }

    fn module(&mut self, interface: Option<InterfaceId>) -> &mut Module<'a> {
        static NONE: Docs = Docs { contents: None };
        let docs = interface.map_or(&NONE, |id| &self.resolve.interfaces[id].docs);
        self.modules.entry(interface).or_insert_with(|| Module {
            name: None,
            docs,
            interface: None,
            functions: Vec::new(),
            left_out: Vec::new(),
            types: Vec::new(),
        })
    }

    /// Names each module like its interface or, where several have that name, like its package and interface.
    fn set_names(&mut self, world: WorldId) {
        let world = &self.resolve.worlds[world];
        let mut keys = HashMap::new();
        for (key, item) in world.imports.iter().chain(&world.exports) {
            if let (WorldKey::Name(name), WorldItem::Interface { id, .. }) = (key, item) {
                keys.insert(*id, name.clone());
            }
        }
        let interfaces: Vec<_> = self.modules.keys().flatten().copied().collect();
        let names = |id: &InterfaceId| {
            let interface = &self.resolve.interfaces[*id];
            let name = interface.name.clone().or_else(|| keys.get(id).cloned()).unwrap_or_default();
            let full = self.resolve.id_of(*id).unwrap_or_else(|| name.clone());
            let unversioned = full.split('@').next().unwrap_or_default().to_owned();
            [name, unversioned, full.replace('@', "-")]
        };
        let all: Vec<_> = interfaces.iter().map(names).collect();
        for (id, candidates) in interfaces.iter().zip(&all) {
            let is_unique = |level: &usize| {
                all.iter().filter(|other| other[*level] == candidates[*level]).count() == 1
            };
            let level = (0..candidates.len()).find(is_unique).unwrap_or(candidates.len() - 1);
            if let Some(module) = self.modules.get_mut(&Some(*id)) {
                module.name = Some(names::snake(&candidates[level]));
            }
        }
    }
}

/// Returns whether componentize-py initializes a component by `interface`, before it writes the component. The host
/// skips it, too.
fn initializes_python(name: &str, interface: &Interface) -> bool {
    let parameters = |function: &Function| {
        let names = function.params.iter().map(|parameter| parameter.name.as_str());
        names.take(2).eq(["app-name", "symbols"])
    };
    name == "exports"
        && interface.functions.len() == 1
        && interface.functions.get("init").is_some_and(parameters)
}

/// Returns the interface that declares a type; `None` for a type of the world.
pub(super) fn owner(resolve: &Resolve, id: TypeId) -> Option<InterfaceId> {
    match resolve.types[id].owner {
        TypeOwner::Interface(interface) => Some(interface),
        TypeOwner::World(_) | TypeOwner::None => None,
    }
}
