//! Tests of the types that are read from components.

use crate::call::component::Component;

fn component(text: &str) -> Component {
    Component::new("x.wasm", wat::parse_str(text).unwrap()).unwrap()
}

fn error(component: &Component, name: &str) -> String {
    component.function(name).unwrap_err().to_string()
}

/// A component that exports one function in two versions of an interface, and in its world.
const VERSIONS: &str = r#"(component
    (import "f" (func $f (param "n" u32) (result string)))
    (instance $i (export "top" (func $f)))
    (export "acme:text/stats@1.2.0" (instance $i))
    (export "acme:text/stats@2.0.0" (instance $i))
    (instance $g (export "greet" (func $f)))
    (export "acme:text/words" (instance $g))
    (export "greet" (func $f)))"#;

#[test]
fn function_is_found_by_every_unambiguous_name() {
    let component = component(VERSIONS);
    let signatures: Vec<_> =
        component.wit_functions().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(signatures[0], "top: func(n: u32) -> string");
    for (name, full) in [
        ("acme:text/stats@1.2.0.top", "acme:text/stats@1.2.0.top"),
        ("acme:text/stats@2.0.0.top", "acme:text/stats@2.0.0.top"),
        ("greet", "greet"),
        ("acme:text/words.greet", "acme:text/words.greet"),
    ] {
        assert_eq!(component.function(name).unwrap().name(), full);
    }
    let candidates = "write acme:text/stats@1.2.0.top or acme:text/stats@2.0.0.top";
    for name in ["top", "acme:text/stats.top"] {
        let error = error(&component, name);
        assert_eq!(error, format!("x.wasm has several functions `{name}`: {candidates}"));
    }
    assert!(error(&component, "acme:text/stats@1.0.0.top").contains("it has: acme:text/"));
    assert!(component.only_function().is_err());
}

#[test]
fn imports_of_types_alone_need_no_implementation() {
    let component = component(
        r#"(component
        (type $r (record (field "n" u32)))
        (import "page" (type (eq $r)))
        (import "a:b/types" (instance
            (type $t (record (field "n" u32))) (export "t" (type (eq $t)))))
        (import "a:b/calls" (instance (export "f" (func))))
        (import "a:b/handles" (instance (export "r" (type (sub resource)))))
        (import "r" (type (sub resource)))
        (import "f" (func)))"#,
    );
    assert_eq!(component.type_imports().unwrap(), ["page", "a:b/types"]);
}

/// A component with a function in two interfaces, and the comment of one. It also exports the function as `stats`.
fn documented(interfaces: [&str; 2]) -> Vec<String> {
    let docs = r#"\01{\"interfaces\":{\"stats\":{\"funcs\":{\"top\":{\"docs\":\"Counts.\"}}}}}"#;
    let [one, other] = interfaces;
    let component = component(&format!(
        r#"(component
        (import "f" (func $f))
        (instance $i (export "top" (func $f)))
        (export "{one}" (instance $i))
        (export "{other}" (instance $i))
        (export "stats" (func $f))
        (@custom "package-docs" "{docs}"))"#
    ));
    component.wit_functions().unwrap().iter().map(|function| function.docs.clone()).collect()
}

#[test]
fn comment_of_an_ambiguous_interface_is_left_out() {
    assert_eq!(documented(["acme:text/stats@1.2.0", "acme:text/words"]), ["Counts.", "", ""]);
    assert_eq!(documented(["acme:text/stats@1.2.0", "other:text/stats"]), ["", "", ""]);
    assert_eq!(documented(["acme:text/stats@1.2.0", "acme:text/stats@2.0.0"]), ["", "", ""]);
}

#[test]
fn only_callable_function_is_the_only_function() {
    let of = |exports: &str| {
        component(&format!(
            r#"(component (import "f" (func $f)) (import "a" (func $a async)) {exports})"#
        ))
        .only_function()
    };
    let (plain, refused) = (r#"(export "greet" (func $f))"#, r#"(export "wait" (func $a))"#);
    assert_eq!(of(plain).unwrap().name(), "greet");
    assert_eq!(of(&[refused, plain].concat()).unwrap().name(), "greet");
    assert!(of(refused).unwrap_err().to_string().ends_with("can't be called: it is async"));
    let several = r#"(export "other" (func $f))"#;
    let error = of(&[plain, several].concat()).unwrap_err().to_string();
    assert!(error.contains("has several functions"), "{error}");
}

#[test]
fn function_that_cannot_be_called_is_refused_with_the_reason() {
    let component = component(
        r#"(component
        (import "r" (type $r (sub resource)))
        (import "a" (func $a (param "x" (own $r))))
        (import "b" (func $b async))
        (import "c" (func $c (result (list (stream u8)))))
        (import "d" (func $d (param "x" (future))))
        (export "takes-resource" (func $a))
        (export "is-async" (func $b))
        (export "returns-stream" (func $c))
        (export "takes-future" (func $d)))"#,
    );
    for (name, reason) in [
        ("takes-resource", "its type contains a resource"),
        ("is-async", "it is async"),
        ("returns-stream", "its type contains a stream"),
        ("takes-future", "its type contains a future"),
    ] {
        let refused = format!("`{name}` of x.wasm can't be called: {reason}");
        assert_eq!(error(&component, name), refused);
    }
}

#[test]
fn exponentially_large_type_is_refused() {
    let tuples = |levels| -> String {
        let tuple = |level| match level {
            0 => "(type $t0 (tuple u8))".to_owned(),
            level => format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1),
        };
        (0..levels).map(tuple).collect()
    };
    let of = |levels| {
        let last = levels - 1;
        format!(
            r#"(component {} (import "f" (func $f (param "x" $t{last}))) (export "large" (func $f)))"#,
            tuples(levels)
        )
    };
    assert!(component(&of(10)).function("large").is_ok());
    // wasmparser rejects larger types by itself.
    assert!(component(&of(60)).function("large").is_err());
}

#[test]
fn long_names_in_a_repeated_type_are_refused() {
    let of = |length: usize, fields: usize| {
        let fields: String = (0..fields).map(|at| format!(r#"(field "f{at}" $r)"#)).collect();
        let name = "n".repeat(length);
        component(&format!(
            r#"(component
            (type $inner (record (field "{name}" u8)))
            (import "r" (type $r (eq $inner)))
            (type $outer (record {fields}))
            (import "s" (type $s (eq $outer)))
            (import "f" (func $f (param "x" $s)))
            (export "large" (func $f)))"#
        ))
    };
    assert_eq!(of(10_000, 100).wit_functions().unwrap()[0].refusal, None);
    let refusal = of(90_000, 100).wit_functions().unwrap()[0].refusal.clone();
    assert_eq!(refusal.as_deref(), Some("its types are too large"));
}

#[test]
fn invalid_component_is_rejected_when_its_types_are_needed() {
    let mut bytes = wat::parse_str(VERSIONS).unwrap();
    // An export of a function that doesn't exist.
    let position = bytes.windows(5).position(|name| name == b"greet").unwrap();
    bytes[position + 6] = 0x7f;
    let component = Component::new("x.wasm", bytes).unwrap();
    assert_eq!(error(&component, "greet"), "x.wasm is not valid");
}

#[test]
fn interface_called_exports_is_skipped_only_if_it_initializes_python() {
    let functions = |name: &str, parameters: &str| {
        let component = component(&format!(
            r#"(component
            (type $t (record (field "types" string)))
            (import "t" (type $s (eq $t)))
            (import "f" (func $f {parameters}))
            (instance $i (export "symbols" (type $s)) (export "{name}" (func $f)))
            (export "exports" (instance $i)))"#
        ));
        let functions = component.wit_functions().unwrap().iter();
        functions.map(|function| function.reference().to_string()).collect::<Vec<_>>()
    };
    let of_python = r#"(param "app-name" string) (param "symbols" $s) (param "stub-wasi" bool)"#;
    assert_eq!(functions("top", of_python), ["exports.top"]);
    assert_eq!(functions("init", r#"(param "name" string)"#), ["exports.init"]);
    assert_eq!(functions("init", of_python), [""; 0]);
}
