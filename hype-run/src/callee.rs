//! Linked components, and the functions in them that calls name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hype_wire::wit::{Returned, Signature};
use hype_wire::{ComponentRef, Failure, FailureKind, FunctionRef};
#[cfg(target_os = "linux")]
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre};
use wasmtime::{Engine, Store};

use crate::closure_call;
use crate::embedding::bindings::ClosuresIndices;
use crate::execution::Guest;
use crate::failure;
use crate::program;
use crate::signature::signature;
use crate::transport::{Arguments, ValueSink, with_sink};
use crate::typed::{self, Mismatch};

/// A component that is linked to hype's imports and can be instantiated.
#[derive(Clone)]
pub(crate) struct ReadyComponent {
    instance_pre: InstancePre<Guest>,
    /// The index of the function that calls closures, if the component exports it.
    closures: Option<ComponentExportIndex>,
    /// The functions with WIT types that were called.
    exports: Arc<Mutex<HashMap<FunctionRef, Export>>>,
}

/// A function with WIT types.
#[derive(Clone)]
pub(crate) struct Export {
    index: ComponentExportIndex,
    signature: Arc<Signature>,
}

impl ReadyComponent {
    pub(crate) fn new(instance_pre: InstancePre<Guest>) -> Self {
        let closures = ClosuresIndices::new(&instance_pre).ok();
        let closures = closures.and_then(|_| closure_call::index(instance_pre.component()));
        Self { instance_pre, closures, exports: Arc::default() }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.instance_pre.engine()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn component(&self) -> &Component {
        self.instance_pre.component()
    }

    /// Instantiates the component for the guest in `store`.
    pub(crate) async fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        self.instance_pre.instantiate_async(store).await
    }

    /// Finds the function that a call names. `component` appears in error messages.
    ///
    /// # Errors
    ///
    /// A failure of the kind `incompatible` if the component doesn't export the interface of closures, that of
    /// programs or, for [`FunctionRef::Export`], the named function. The name of a closure is checked later, by the call itself.
    pub(crate) fn find_callee<'a>(
        &'a self,
        component: &ComponentRef,
        function: &'a FunctionRef,
    ) -> Result<Callee<'a>, Failure> {
        match function {
            FunctionRef::Closure(name) => match self.closures {
                Some(index) => Ok(Callee::Closure { index, name }),
                None => Err(self.no_closures(component)),
            },
            FunctionRef::Export { interface, function: name } => {
                let export = self.export(function, interface.as_deref(), name);
                let export = export.map_err(|problem| {
                    let component = &component.name;
                    let message = format!("component {component} {problem}");
                    Failure::new(FailureKind::Incompatible, message)
                })?;
                Ok(Callee::Export { export, function })
            }
            FunctionRef::Program(name) => {
                let index = self.program().ok_or_else(|| {
                    let component = &component.name;
                    let message = format!("component {component} doesn't export wasi:cli/run@0.2");
                    Failure::new(FailureKind::Incompatible, message)
                })?;
                Ok(Callee::Program { index, name })
            }
        }
    }

    /// Returns the index of the program's function, if the component is a program.
    fn program(&self) -> Option<ComponentExportIndex> {
        let component = self.instance_pre.component();
        let interface = component.get_export_index(None, program::INTERFACE)?;
        component.get_export_index(Some(&interface), program::FUNCTION)
    }

    /// Finds an exported function and its type. The error continues a sentence about the component.
    fn export(
        &self,
        function: &FunctionRef,
        interface: Option<&str>,
        name: &str,
    ) -> Result<Export, String> {
        let mut exports = self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(export) = exports.get(function) {
            return Ok(export.clone());
        }
        let component = self.instance_pre.component();
        let not_exported = || format!("doesn't export {function}");
        let instance = match interface {
            Some(name) => Some(component.get_export_index(None, name).ok_or_else(not_exported)?),
            None => None,
        };
        let found = component.get_export(instance.as_ref(), name).ok_or_else(not_exported)?;
        let (ComponentItem::ComponentFunc(of), index) = found else {
            return Err(format!("exports {function}, which isn't a function"));
        };
        let signature = signature(&of)
            .map_err(|reason| format!("exports {function}, which can't be called: {reason}"))?;
        let export = Export { index, signature: Arc::new(signature) };
        exports.insert(function.clone(), export.clone());
        Ok(export)
    }

    fn no_closures(&self, component: &ComponentRef) -> Failure {
        let problem = "doesn't export spotify:hype/closure@0.1.0";
        let mut failure = Failure::new(
            FailureKind::Incompatible,
            format!("component {} {problem}", component.name),
        );
        let causes = ClosuresIndices::new(&self.instance_pre).err();
        let causes = causes.iter().flat_map(wasmtime::Error::chain);
        failure.causes = causes.map(ToString::to_string).collect();
        failure
    }
}

/// A function of a component.
pub(crate) enum Callee<'a> {
    /// A closure, called by its name through the interface's `call`.
    Closure { index: ComponentExportIndex, name: &'a str },
    /// An exported function with WIT types.
    Export { export: Export, function: &'a FunctionRef },
    /// A whole program.
    Program { index: ComponentExportIndex, name: &'a str },
}

impl Callee<'_> {
    /// Calls the function in `instance` with a MessagePack array of arguments. Returns the value as
    /// MessagePack, or the failure that the function returned. The value is empty if `sink` has taken it.
    ///
    /// # Errors
    ///
    /// The error that ended the guest before its function returned.
    pub(crate) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        arguments: Arguments<'_>,
        sink: Option<&Arc<dyn ValueSink>>,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match self {
            Self::Closure { index, name } => {
                closure_call::call(store, instance, *index, name, arguments, sink).await
            }
            Self::Export { export: Export { index, signature }, function } => {
                let found = instance.get_func(&mut *store, index);
                let found = found.ok_or_else(|| wasmtime::format_err!("{function} isn't there"))?;
                let call = typed::call(store, found, signature, arguments);
                match with_sink(sink, call).await {
                    Ok(Returned::Value(value)) => Ok(Ok(value)),
                    Ok(Returned::Error(error)) => Ok(Err(failure::of_result(function, error))),
                    Err(error) => match error.downcast::<Mismatch>() {
                        Ok(mismatch) => Ok(Err(failure::mismatch(function, &mismatch))),
                        Err(error) => Err(error),
                    },
                }
            }
            Self::Program { index, name } => {
                let found = instance.get_func(&mut *store, index);
                let found = found.ok_or_else(|| wasmtime::format_err!("`{name}` isn't there"))?;
                program::run(store, found, name).await
            }
        }
    }
}
