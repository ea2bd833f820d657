//! The difference between the types that a program was compiled with and those of a component.

use std::fmt::Display;

use hype_wire::WitType;
use hype_wire::wit::WitFunction;

/// Returns the first difference between the types of two functions: `parameter 2 (n) is u32 in the component, and u64
/// in the program`.
pub(super) fn between(program: &WitFunction, component: &WitFunction) -> Option<String> {
    let names = |function: &WitFunction| {
        let names = function.parameters.iter().map(|(name, _)| name.as_str());
        format!("({})", names.collect::<Vec<_>>().join(", "))
    };
    let (ours, theirs) = (names(program), names(component));
    if ours != theirs {
        return Some(differs("the list of parameters", &theirs, &ours));
    }
    let parameters = program.parameters.iter().zip(&component.parameters).enumerate();
    for (index, ((name, ours), (_, theirs))) in parameters {
        let at = format!("parameter {} ({name})", index + 1);
        if let Some(difference) = of_types(&at, ours, theirs) {
            return Some(difference);
        }
    }
    of_options("the result", program.result.as_ref(), component.result.as_ref())
}

fn differs(at: &str, component: &impl Display, program: &impl Display) -> String {
    format!("{at} is {component} in the component, and {program} in the program")
}

/// Returns the first difference, at the innermost place that differs.
fn of_types(at: &str, program: &WitType, component: &WitType) -> Option<String> {
    use WitType::{List, Option, Record, Result, Tuple, Variant};
    if program == component {
        return None;
    }
    let inner = match (program, component) {
        (List(ours), List(theirs)) => of_types(&format!("an element of {at}"), ours, theirs),
        (Option(ours), Option(theirs)) => of_types(&format!("the content of {at}"), ours, theirs),
        (Result { ok, err }, Result { ok: other_ok, err: other_err }) => {
            of_options(&format!("ok of {at}"), ok.as_deref(), other_ok.as_deref()).or_else(|| {
                of_options(&format!("err of {at}"), err.as_deref(), other_err.as_deref())
            })
        }
        (Tuple(ours), Tuple(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.find_map(|(index, (ours, theirs))| {
                of_types(&format!("element {index} of {at}"), ours, theirs)
            })
        }
        (Record(ours), Record(theirs)) if have_same_names(ours, theirs) => {
            ours.iter().zip(theirs).find_map(|((name, ours), (_, theirs))| {
                of_types(&format!("`{name}` of {at}"), ours, theirs)
            })
        }
        (Variant(ours), Variant(theirs)) if have_same_names(ours, theirs) => {
            ours.iter().zip(theirs).find_map(|((name, ours), (_, theirs))| {
                of_options(&format!("`{name}` of {at}"), ours.as_ref(), theirs.as_ref())
            })
        }
        _ => None,
    };
    inner.or_else(|| Some(differs(at, component, program)))
}

fn of_options(at: &str, program: Option<&WitType>, component: Option<&WitType>) -> Option<String> {
    match (program, component) {
        (Some(program), Some(component)) => of_types(at, program, component),
        (None, None) => None,
        (program, component) => {
            let text = |of: Option<&WitType>| of.map_or("absent".to_owned(), ToString::to_string);
            Some(differs(at, &text(component), &text(program)))
        }
    }
}

fn have_same_names<T>(ours: &[(String, T)], theirs: &[(String, T)]) -> bool {
    ours.iter().map(|(name, _)| name).eq(theirs.iter().map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use WitType::{Enum, List, Record, Result, String, Tuple, U8, U16, Variant};

    fn difference(program: WitType, component: WitType) -> std::string::String {
        of_types("x", &program, &component).unwrap()
    }

    #[test]
    fn difference_is_named_at_its_innermost_place() {
        let record = |of| List(Box::new(Record(vec![("a".into(), U8), ("b".into(), of)])));
        let variant = |of| Variant(vec![("all".into(), None), ("one".into(), of)]);
        let result = |err| Result { ok: None, err };
        for (program, component, expected) in [
            (record(U8), record(U16), "`b` of an element of x is u16 in the component, and u8 in"),
            (variant(None), variant(Some(U8)), "`one` of x is u8 in the component, and absent in"),
            (result(None), result(Some(String.into())), "err of x is string in the component"),
            (Tuple(vec![U8]), Tuple(vec![U8, U8]), "x is tuple<u8, u8> in the component"),
            (Tuple(vec![U8]), Tuple(vec![U16]), "element 0 of x is u16 in the component"),
            (Enum(vec!["a".into()]), Enum(vec!["b".into()]), "x is enum { b } in the component"),
            (
                Record(vec![("a".into(), U8)]),
                Record(vec![("b".into(), U8)]),
                "x is record { b: u8 } in the component, and record { a: u8 } in the program",
            ),
        ] {
            let found = difference(program, component);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn missing_parameter_and_result_are_differences() {
        let function = |parameters: &[&str], result| WitFunction {
            interface: None,
            name: "f".into(),
            docs: "".into(),
            parameters: parameters.iter().map(|name| ((*name).to_owned(), U8)).collect(),
            result,
            refusal: None,
        };
        let found = between(&function(&["a"], None), &function(&["a", "b"], None));
        assert_eq!(
            found.unwrap(),
            "the list of parameters is (a, b) in the component, and (a) in the program"
        );
        let found = between(&function(&[], None), &function(&[], Some(U8)));
        assert_eq!(found.unwrap(), "the result is u8 in the component, and absent in the program");
        assert_eq!(between(&function(&["a"], Some(U8)), &function(&["a"], Some(U8))), None);
    }
}
