//! Checks by its signature that a function can run elsewhere.

use syn::{FnArg, GenericParam, Ident, Pat, PatType, ReturnType, Type};

use crate::crossing;
use crate::mistakes::Mistakes;
use crate::options::ReturnKind;

/// The maximum number of parameters of a closure.
const MAX_PARAMETERS: usize = 12;

/// A parameter of a function that can run elsewhere.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// Returns the parameters of `signature`, and adds the reasons why it cannot run elsewhere to `mistakes`.
pub(crate) fn check(
    signature: &syn::Signature,
    returns: ReturnKind,
    mistakes: &mut Mistakes,
) -> Vec<Parameter> {
    check_qualifiers(signature, mistakes);
    check_generics(&signature.generics, mistakes);
    let parameters = parameters(signature, mistakes);
    check_output(&signature.output, returns, mistakes);
    parameters
}

/// Rejects qualifiers before `fn`.
fn check_qualifiers(signature: &syn::Signature, mistakes: &mut Mistakes) {
    if let Some(qualifier) = &signature.constness {
        mistakes.add(qualifier, "a closure runs at run time: remove `const`");
    }
    if let Some(qualifier) = &signature.asyncness {
        mistakes.add(qualifier, "a closure is a plain function: remove `async`");
    }
    if let Some(qualifier) = &signature.unsafety {
        mistakes.add(qualifier, "a closure is safe to call: remove `unsafe`");
    }
    if let Some(qualifier) = &signature.abi {
        let problem = "a closure has Rust's own calling convention: remove `extern`";
        mistakes.add(qualifier, problem);
    }
}

fn check_generics(generics: &syn::Generics, mistakes: &mut Mistakes) {
    for parameter in &generics.params {
        let problem = match parameter {
            GenericParam::Type(ty) => {
                format!("a closure has fixed types: write one in place of `{}`", ty.ident)
            }
            GenericParam::Const(number) => {
                let name = &number.ident;
                format!("a closure has fixed types: write a constant in place of `{name}`")
            }
            GenericParam::Lifetime(lifetime) => {
                let name = &lifetime.lifetime;
                format!("a closure borrows nothing: remove `{name}` and use owned types")
            }
        };
        mistakes.add(parameter, problem);
    }
    if let Some(clause) = &generics.where_clause {
        mistakes.add(clause, "a closure has fixed types: remove the `where` clause");
    }
}

fn parameters(signature: &syn::Signature, mistakes: &mut Mistakes) -> Vec<Parameter> {
    for parameter in signature.inputs.iter().skip(MAX_PARAMETERS) {
        let problem =
            format!("a closure has at most {MAX_PARAMETERS} parameters: put some into a struct");
        mistakes.add(parameter, problem);
    }
    if let Some(variadic) = &signature.variadic {
        let problem = "a closure has a fixed number of parameters: take a `Vec`";
        mistakes.add(variadic, problem);
    }
    let inputs = signature.inputs.iter();
    inputs
        .filter_map(|input| match input {
            FnArg::Typed(parameter) => check_parameter(parameter, mistakes),
            FnArg::Receiver(receiver) => {
                let problem = "a closure is no method: take the value as a named parameter";
                mistakes.add(receiver, problem);
                None
            }
        })
        .collect()
}

fn check_parameter(parameter: &PatType, mistakes: &mut Mistakes) -> Option<Parameter> {
    for attribute in &parameter.attrs {
        mistakes.add(attribute, "a parameter has no attributes here: remove it");
    }
    crossing::check_argument(&parameter.ty, mistakes);
    let name = check_name(&parameter.pat, mistakes)?;
    Some(Parameter { name, ty: (*parameter.ty).clone() })
}

/// Returns the name of a parameter. It must have one, since tools show it to users.
fn check_name(pattern: &Pat, mistakes: &mut Mistakes) -> Option<Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            return Some(name.ident.clone());
        }
        Pat::Wild(_) => mistakes.add(pattern, "a parameter has a name: write e.g. `_unused`"),
        _ => {
            let problem = "a parameter has a plain name: take the value apart in the body";
            mistakes.add(pattern, problem);
        }
    }
    None
}

fn check_output(output: &ReturnType, returns: ReturnKind, mistakes: &mut Mistakes) {
    match (output, returns) {
        (ReturnType::Type(_, ty), returns) => crossing::check_result(ty, returns, mistakes),
        (ReturnType::Default, ReturnKind::Value) => {}
        (ReturnType::Default, ReturnKind::Fallible) => {
            // An error without tokens is reported at the attribute.
            let nothing = proc_macro2::TokenStream::new();
            let problem = "a function that returns nothing cannot fail: remove `fallible`";
            mistakes.add(nothing, problem);
        }
    }
}
