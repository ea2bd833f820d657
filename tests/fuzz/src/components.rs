use hype::Component;
use hype_wire::{Function, WIRE_FORMAT, section};

/// Bytes as the custom section in which a component tells of its functions.
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
        // A name of its own may have `::` in it.
        let name = function.qualified_name();
        assert!(name.ends_with(section::plain_name(&name)), "{name}");
    }
    true
}

/// Bytes as the file of a component.
pub(crate) fn component(bytes: &[u8]) -> bool {
    let component = match Component::new("x.wasm", bytes.to_vec()) {
        Ok(component) => component,
        Err(error) => {
            assert!(error.to_string().len() <= 4096, "{error}");
            return false;
        }
    };
    let places = component.functions().iter().map(|function| (&function.file, function.line));
    assert!(places.is_sorted(), "its functions are not in the order of its sources");
    for function in component.functions() {
        let name = function.qualified_name();
        let same = |other: &&Function| other.name == name || other.qualified_name() == name;
        let is_alone = component.functions().iter().filter(same).count() == 1;
        assert_eq!(component.function(&name).is_ok(), is_alone, "{name}");
    }
    assert!(component.only_function().is_err() || component.functions().len() == 1);
    let names = component.imports().iter().chain(component.exports());
    assert!(names.map(String::len).sum::<usize>() <= bytes.len());
    true
}

/// The bytes of one function in the section, as they are documented.
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
