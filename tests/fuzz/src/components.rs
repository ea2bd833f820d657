use hype::Component;
use hype_wire::{Function, WIRE_FORMAT, section};

/// Decodes bytes as the custom section that lists a component's functions.
pub(crate) fn section(bytes: &[u8]) -> bool {
    let Ok(functions) = section::decode(bytes) else { return false };
    let written: Vec<u8> = functions.iter().flat_map(record).collect();
    match section::decode(&written) {
        Ok(again) => assert_eq!(again, functions),
        Err(error) => panic!("cannot read the functions again: {error}"),
    }
    for function in &functions {
        let signature = function.to_string();
        assert!(signature.starts_with(&function.name), "{signature}");
        // A function's name may contain `::`.
        let name = function.qualified_name();
        assert!(name.ends_with(section::plain_name(&name)), "{name}");
    }
    true
}

/// Decodes bytes as a component file.
pub(crate) fn component(bytes: &[u8]) -> bool {
    let component = match Component::new("x.wasm", bytes.to_vec()) {
        Ok(component) => component,
        Err(error) => {
            assert!(error.to_string().len() <= 4096, "{error}");
            return false;
        }
    };
    let locations = component.functions().iter().map(|function| (&function.file, function.line));
    assert!(locations.is_sorted(), "the functions are not in the order of the sources");
    for function in component.functions() {
        let name = function.qualified_name();
        let same = |other: &&Function| other.name == name || other.qualified_name() == name;
        let is_alone = component.functions().iter().filter(same).count() == 1;
        assert_eq!(component.function(&name).is_ok(), is_alone, "{name}");
    }
    let exported = component.wit_functions().unwrap_or_default();
    for function in exported.iter().filter(|_| component.functions().is_empty()) {
        let name = function.reference().to_string();
        assert_eq!(component.function(&name).is_ok(), function.refusal.is_none(), "{name}");
    }
    let count = component.functions().len().max(exported.len());
    assert!(component.only_function().is_err() || count == 1);
    let names = component.imports().iter().chain(component.exports());
    assert!(names.map(String::len).sum::<usize>() <= bytes.len());
    true
}

/// Encodes the record of one function in the documented format.
pub(crate) fn record(function: &Function) -> Vec<u8> {
    let number = |number: u32| number.to_le_bytes().to_vec();
    let text = |text: &str| [number(text.len() as u32), text.as_bytes().to_vec()].concat();
    let Function { sdk, package, name, file, line, docs, parameters, result } = function;
    let mut body = [
        number(WIRE_FORMAT),
        text(sdk),
        text(package),
        text(name),
        text(file),
        number(*line),
        text(docs),
        text(&result.to_string()),
        number(parameters.len() as u32),
    ]
    .concat();
    for parameter in parameters {
        body.extend([text(&parameter.name), text(&parameter.value_type.to_string())].concat());
    }
    [number(body.len() as u32), body].concat()
}
