//! Components that are ready to be instantiated, and the functions in them that calls name.

use hype_wire::{ComponentRef, Failure, FailureKind, FunctionRef, HYPE_VERSION};
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre};
use wasmtime::{Engine, Store};

use crate::embedding::bindings::ClosuresIndices;
use crate::end::{self, Misfit};
use crate::execution::Guest;

/// A component that is linked to everything that hype offers.
#[derive(Clone)]
pub(crate) struct ReadyComponent {
    instance_pre: InstancePre<Guest>,
    /// Where the interface `spotify:hype/closure` is, if the component exports it.
    closures: Option<ClosuresIndices>,
}

impl ReadyComponent {
    pub(crate) fn new(instance_pre: InstancePre<Guest>) -> Self {
        let closures = ClosuresIndices::new(&instance_pre).ok();
        Self { instance_pre, closures }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.instance_pre.engine()
    }

    /// Instantiates the component for the guest in `store`.
    pub(crate) async fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        self.instance_pre.instantiate_async(store).await
    }

    /// Finds the function that a call names; `component` is for messages.
    ///
    /// # Errors
    ///
    /// A failure of the kind `incompatible` when the component doesn't export the function.
    pub(crate) fn callee<'a>(
        &'a self,
        component: &ComponentRef,
        function: &'a FunctionRef,
    ) -> Result<Callee<'a>, Failure> {
        match function {
            FunctionRef::Closure(name) => match &self.closures {
                Some(interface) => Ok(Callee::Closure { interface, name }),
                None => Err(self.no_closures(component)),
            },
            FunctionRef::Export { interface, function: name } => self
                .export(interface.as_deref(), name)
                .map(|index| Callee::Export { index, function })
                .ok_or_else(|| {
                    let message = format!("component {} doesn't export {function}", component.name);
                    Failure::new(FailureKind::Incompatible, message)
                }),
        }
    }

    fn export(&self, interface: Option<&str>, function: &str) -> Option<ComponentExportIndex> {
        let component = self.instance_pre.component();
        let interface = match interface {
            Some(name) => Some(component.get_export_index(None, name)?),
            None => None,
        };
        component.get_export_index(interface.as_ref(), function)
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
    /// A closure, which `call` of the interface calls by its name.
    Closure { interface: &'a ClosuresIndices, name: &'a str },
    /// An exported function with WIT types.
    Export {
        #[expect(dead_code, reason = "this version finds such functions and calls none")]
        index: ComponentExportIndex,
        function: &'a FunctionRef,
    },
}

impl Callee<'_> {
    /// Calls the function in `instance`, with a MessagePack array of arguments. Returns the value's
    /// MessagePack or the failure that the function returned.
    ///
    /// # Errors
    ///
    /// The error that ended the guest.
    pub(crate) async fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        arguments: &[u8],
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        match self {
            Self::Closure { interface, name } => {
                let closures =
                    interface.load(&mut *store, instance).map_err(|error| error.context(Misfit))?;
                let interface = closures.spotify_hype_closure();
                let returned = interface.call_call(store, name, arguments).await?;
                Ok(returned.map_err(end::returned))
            }
            Self::Export { function, .. } => {
                let message = format!(
                    "`{function}` is a function with WIT types, and hype {HYPE_VERSION} calls closures"
                );
                Ok(Err(Failure::new(FailureKind::Incompatible, message)))
            }
        }
    }
}
