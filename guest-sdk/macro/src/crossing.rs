//! Whether a type can cross to another machine, as far as its looks tell.
//!
//! Values cross as data, so a type must own all that it holds. The trait bounds in the expansion
//! decide; but of a borrowed type they say only that a lifetime doesn't fit, so what shows in the
//! signature is refused here, with the type to write instead.

use syn::visit::{self, Visit};
use syn::{
    Expr, Lifetime, PathArguments, PathSegment, Type, TypeBareFn, TypeImplTrait, TypeInfer,
    TypeNever, TypeParamBound, TypePtr, TypeReference, TypeTraitObject,
};

use crate::mistakes::Mistakes;
use crate::options::Returns;
use crate::type_name::type_name;

/// Looks at the type of a parameter.
pub(crate) fn check_argument(ty: &Type, mistakes: &mut Mistakes) {
    let values = "arguments";
    Crossing { mistakes, values }.visit_type(ty);
}

/// Looks at a return type: at all of it, or at the value and the error of a fallible function.
pub(crate) fn check_result(ty: &Type, returns: Returns, mistakes: &mut Mistakes) {
    let values = "results";
    let arguments = match (returns, last_segment(ty).map(|result| &result.arguments)) {
        (Returns::Fallible, Some(PathArguments::AngleBracketed(arguments))) => arguments,
        _ => return Crossing { mistakes, values }.visit_type(ty),
    };
    for (index, argument) in arguments.args.iter().enumerate() {
        match index {
            0 => Crossing { mistakes, values }.visit_generic_argument(argument),
            _ => Describing { mistakes }.visit_generic_argument(argument),
        }
    }
}

/// The last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(ty) => ty.path.segments.last(),
        Type::Paren(ty) => last_segment(&ty.elem),
        // What a `macro_rules` macro substitutes for its `$ty:ty`.
        Type::Group(ty) => last_segment(&ty.elem),
        _ => None,
    }
}

const NAME_THE_TYPE: &str = "a closure has fixed types: name the type itself";

struct Crossing<'a> {
    mistakes: &'a mut Mistakes,
    /// What crosses: "arguments" or "results".
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

    /// The length of an array holds no values that cross.
    fn visit_expr(&mut self, _: &Expr) {}
}

/// What an error must look like. It crosses as its message, so it may hold what it likes.
struct Describing<'a> {
    mistakes: &'a mut Mistakes,
}

impl Visit<'_> for Describing<'_> {
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

/// The type to write in place of a reference to `ty`.
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
