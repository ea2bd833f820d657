//! Checks by its tokens that a type can cross, i.e. can be sent to another process.
//!
//! Values are sent as data, so a type must own its content. The trait bounds in the expansion enforce that, but for a
//! borrowed type they only report a lifetime mismatch. Types that are visibly wrong in the signature are rejected here,
//! with the type to write instead.

use syn::visit::{self, Visit};
use syn::{
    Expr, Lifetime, PathArguments, PathSegment, Type, TypeBareFn, TypeImplTrait, TypeInfer,
    TypeNever, TypeParamBound, TypePtr, TypeReference, TypeTraitObject,
};

use crate::mistakes::Mistakes;
use crate::options::ReturnKind;
use crate::type_name::type_name;

/// Checks the type of a parameter.
pub(crate) fn check_argument(ty: &Type, mistakes: &mut Mistakes) {
    let values = "arguments";
    Crossing { mistakes, values }.visit_type(ty);
}

/// Checks a return type; for a fallible function, the value and the error separately.
pub(crate) fn check_result(ty: &Type, returns: ReturnKind, mistakes: &mut Mistakes) {
    let values = "results";
    let arguments = match (returns, last_segment(ty).map(|result| &result.arguments)) {
        (ReturnKind::Fallible, Some(PathArguments::AngleBracketed(arguments))) => arguments,
        _ => return Crossing { mistakes, values }.visit_type(ty),
    };
    for (index, argument) in arguments.args.iter().enumerate() {
        match index {
            0 => Crossing { mistakes, values }.visit_generic_argument(argument),
            _ => ErrorType { mistakes }.visit_generic_argument(argument),
        }
    }
}

/// Returns the last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(ty) => ty.path.segments.last(),
        Type::Paren(ty) => last_segment(&ty.elem),
        // The substitution of a `$ty:ty` of `macro_rules`.
        Type::Group(ty) => last_segment(&ty.elem),
        _ => None,
    }
}

const NAME_THE_TYPE: &str = "a closure has fixed types: name the type itself";

/// A visitor that rejects types that cannot cross.
struct Crossing<'a> {
    mistakes: &'a mut Mistakes,
    /// The noun in messages: "arguments" or "results".
    values: &'static str,
}

impl Visit<'_> for Crossing<'_> {
    fn visit_type_reference(&mut self, ty: &TypeReference) {
        let (values, owned) = (self.values, owned(&ty.elem));
        let problem = format!("{values} cross by value: use `{owned}`");
        self.mistakes.add(ty, problem);
        self.visit_type(&ty.elem);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            let values = self.values;
            let problem = format!("{values} borrow nothing: use an owned type");
            self.mistakes.add(lifetime, problem);
        }
    }

    fn visit_path_segment(&mut self, segment: &PathSegment) {
        if segment.ident == "Self" {
            let problem = "a closure is no method: move the function out, and name the type";
            self.mistakes.add(&segment.ident, problem);
        }
        if segment.ident == "OsString" || segment.ident == "OsStr" {
            let name = &segment.ident;
            let problem = format!(
                "`{name}` has another form on each system: use `String`, `PathBuf` or `Vec<u8>`"
            );
            self.mistakes.add(name, problem);
        }
        visit::visit_path_segment(self, segment);
    }

    fn visit_type_ptr(&mut self, ty: &TypePtr) {
        let (values, owned) = (self.values, type_name(&ty.elem));
        let problem = format!("{values} cross by value: use `{owned}`");
        self.mistakes.add(ty, problem);
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.mistakes.add(ty, NAME_THE_TYPE);
    }

    fn visit_type_trait_object(&mut self, ty: &TypeTraitObject) {
        let problem = "a trait object cannot cross: use an enum or a struct";
        self.mistakes.add(ty, problem);
    }

    fn visit_type_bare_fn(&mut self, ty: &TypeBareFn) {
        let problem = "code cannot cross: use data, and choose the function in the body";
        self.mistakes.add(ty, problem);
    }

    fn visit_type_never(&mut self, ty: &TypeNever) {
        self.mistakes.add(ty, "a closure gives a value back: use `()`");
    }

    fn visit_type_infer(&mut self, ty: &TypeInfer) {
        self.mistakes.add(ty, NAME_THE_TYPE);
    }

    /// Skips expressions: the length of an array is not sent.
    fn visit_expr(&mut self, _: &Expr) {}
}

/// A visitor that rejects invalid error types. Only an error's message is sent, so it may contain any type.
struct ErrorType<'a> {
    mistakes: &'a mut Mistakes,
}

impl Visit<'_> for ErrorType<'_> {
    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.mistakes.add(ty, NAME_THE_TYPE);
    }

    fn visit_type_trait_object(&mut self, ty: &TypeTraitObject) {
        let has = |name| ty.bounds.iter().any(|bound| is_named(bound, name));
        if has("Error") && !(has("Send") && has("Sync")) {
            let problem = "an error crosses threads: use `dyn Error + Send + Sync`";
            self.mistakes.add(ty, problem);
        }
    }
}

fn is_named(bound: &TypeParamBound, name: &str) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| last.ident == name)
        }
        _ => false,
    }
}

/// Returns the type to write instead of a reference to `ty`.
fn owned(ty: &Type) -> String {
    match ty {
        Type::Reference(ty) => owned(&ty.elem),
        Type::Slice(ty) => format!("Vec<{}>", owned(&ty.elem)),
        ty => match last_segment(ty) {
            Some(name) if name.ident == "str" => "String".to_owned(),
            Some(name) if name.ident == "Path" => "PathBuf".to_owned(),
            Some(name) if name.ident == "OsStr" => "String".to_owned(),
            _ => type_name(ty),
        },
    }
}
