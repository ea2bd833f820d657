//! Functions whose types the program knows when it is compiled, of components that anything may have built.
//! `hype::component!` generates them.

mod difference;

use std::sync::OnceLock;

use bytes::Bytes;
use hype_wire::wit::WitFunction;
use serde::de::DeserializeOwned;

use crate::call::arguments::OwnedArguments;
use crate::call::closure::Closure;
use crate::call::component::{Component, ComponentFunction};
use crate::call::find;
use crate::error::{Error, Result};

/// A function with WIT types, which the program was compiled with.
#[derive(Debug)]
pub struct TypedFunction {
    /// The component.
    pub component: &'static TypedComponent,
    /// The function's name.
    pub name: &'static str,
    /// Returns the types that the program was compiled with.
    pub types: fn() -> WitFunction,
}

/// A component whose types the program knows.
#[derive(Debug)]
pub struct TypedComponent {
    source: Source,
    /// The component, once it is read.
    component: OnceLock<Component>,
}

#[derive(Debug)]
enum Source {
    /// The package that the component is built from.
    Package(&'static str),
    /// The name and the bytes of a component that is compiled into the program.
    Embedded(&'static str, &'static [u8]),
}

impl TypedComponent {
    /// Returns the component that `cargo hype build` makes of `package`.
    pub const fn of_package(package: &'static str) -> Self {
        Self { source: Source::Package(package), component: OnceLock::new() }
    }

    /// Returns the component `bytes`, which messages call `name`.
    pub const fn embedded(name: &'static str, bytes: &'static [u8]) -> Self {
        Self { source: Source::Embedded(name, bytes), component: OnceLock::new() }
    }

    fn open(&self) -> Result<Component> {
        if let Some(component) = self.component.get() {
            return Ok(component.clone());
        }
        let component = match self.source {
            Source::Package(package) => find::component_of(package)?,
            Source::Embedded(name, bytes) => Component::new(name, Bytes::from_static(bytes))?,
        };
        Ok(self.component.get_or_init(|| component).clone())
    }
}

impl TypedFunction {
    /// Finds the function in its component.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when there is no component, or when it has no such function or one with
    /// other types.
    pub(crate) fn component_function(&self) -> Result<ComponentFunction> {
        let component = self.component.open()?;
        let expected = (self.types)();
        let name = expected.reference();
        let is_it = |found: &&std::sync::Arc<WitFunction>| {
            found.interface == expected.interface && found.name == expected.name
        };
        let Some(found) = component.wit_functions()?.iter().find(is_it) else {
            let all = component.wit_functions()?.iter();
            let all: Vec<_> = all.map(|function| function.reference().to_string()).collect();
            return Err(self.outdated(format!(
                "{} has no function `{name}`, which the program calls; it has: {}",
                component.name(),
                all.join(", ")
            )));
        };
        if found.refusal.is_none()
            && let Some(difference) = difference::between(&expected, found)
        {
            return Err(self.outdated(format!(
                "`{name}` of {} has other types than the program: {difference}",
                component.name()
            )));
        }
        component.exported(found)
    }

    fn outdated(&self, problem: String) -> Error {
        let hint = match self.component.source {
            Source::Package(package) => format!(
                "build both from the same WIT: cargo hype build -p {package}, and the program"
            ),
            Source::Embedded(..) => "compile the program again".to_owned(),
        };
        Error::input(problem).hint(hint)
    }
}

/// Creates a closure; called by the code that `hype::component!` generates.
pub fn bind_typed<T: DeserializeOwned + 'static>(
    function: &'static TypedFunction,
    arguments: impl OwnedArguments,
) -> Closure<T> {
    Closure::of_typed(function, arguments.into_message_pack())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::WitType;

    /// A component that exports `top: func(text: string, n: u32) -> string`, and `other` of a resource.
    fn component() -> &'static [u8] {
        let bytes = wat::parse_str(
            r#"(component
            (import "f" (func $f (param "text" string) (param "n" u32) (result string)))
            (instance $i (export "top" (func $f)))
            (export "acme:text/stats@1.2.0" (instance $i)))"#,
        );
        bytes.unwrap().leak()
    }

    fn find(types: fn() -> WitFunction) -> Result<ComponentFunction> {
        let component = Box::leak(Box::new(TypedComponent::embedded("x.wasm", component())));
        TypedFunction { component, name: "top", types }.component_function()
    }

    fn top(version: &str, number: WitType) -> WitFunction {
        WitFunction {
            interface: Some(format!("acme:text/stats@{version}")),
            name: "top".into(),
            docs: "Not compared.".into(),
            parameters: vec![("text".into(), WitType::String), ("n".into(), number)],
            result: Some(WitType::String),
            refusal: None,
        }
    }

    #[test]
    fn function_with_the_same_types_is_found() {
        let found = find(|| top("1.2.0", WitType::U32)).unwrap();
        assert_eq!(found.name(), "acme:text/stats@1.2.0.top");
    }

    #[test]
    fn function_with_other_types_is_rejected_with_the_difference() {
        let error = find(|| top("1.2.0", WitType::U64)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`acme:text/stats@1.2.0.top` of x.wasm has other types than the program: parameter 2 (n) is u32 in the \
             component, and u64 in the program"
        );
    }

    #[test]
    fn missing_version_is_rejected_with_the_functions_of_the_component() {
        let error = find(|| top("1.3.0", WitType::U32)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.wasm has no function `acme:text/stats@1.3.0.top`, which the program calls; it has: \
             acme:text/stats@1.2.0.top"
        );
    }
}
