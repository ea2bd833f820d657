//! Whether a type can cross to another machine, as far as its looks tell.
//!
//! Values cross as data, so a type must own all that it holds. The trait bounds in the expansion
//! decide; but of a borrowed type they say only that a lifetime doesn't fit, so what shows in the
//! signature is refused here, with the type to write instead.

use syn::visit::Visit;
use syn::{
    Expr, GenericArgument, Lifetime, PathArguments, PathSegment, Type, TypeBareFn, TypeImplTrait,
    TypeInfer, TypeNever, TypePtr, TypeReference, TypeTraitObject,
};

use crate::mistakes::Mistakes;
use crate::options::Returns;
use crate::type_name::type_name;

/// Looks at the type of a parameter.
pub(crate) fn check_argument(ty: &Type, mistakes: &mut Mistakes) {
    let values = "arguments";
    Crossing { mistakes, values }.visit_type(ty);
}

/// Looks at a return type: at all of it, or without the error that a fallible function gives.
pub(crate) fn check_result(ty: &Type, returns: Returns, mistakes: &mut Mistakes) {
    let values = "results";
    let mut crossing = Crossing { mistakes, values };
    match (returns, last_segment(ty)) {
        (Returns::Fallible, Some(result)) => crossing.visit_fallible(result),
        _ => crossing.visit_type(ty),
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

struct Crossing<'a> {
    mistakes: &'a mut Mistakes,
    /// What crosses: "arguments" or "results".
    values: &'static str,
}

impl Crossing<'_> {
    /// Looks at the value of a `Result`, and of its error only at what no position allows.
    fn visit_fallible(&mut self, result: &PathSegment) {
        let PathArguments::AngleBracketed(arguments) = &result.arguments else {
            return;
        };
        let mut types = arguments.args.iter();
        if let Some(value) = types.next() {
            self.visit_generic_argument(value);
        }
        for argument in types {
            if let GenericArgument::Type(ty @ Type::ImplTrait(_)) = argument {
                self.visit_type(ty);
            }
        }
    }
}

impl Visit<'_> for Crossing<'_> {
    fn visit_type_reference(&mut self, ty: &TypeReference) {
        let (values, owned) = (self.values, owned(ty));
        let problem = format!("{values} cross by value: use `{owned}`");
        self.mistakes.add(ty, problem);
        self.visit_type(&ty.elem);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            let values = self.values;
            let problem = format!("{values} borrow nothing: use a type without lifetime");
            self.mistakes.add(lifetime, problem);
        }
    }

    fn visit_type_ptr(&mut self, ty: &TypePtr) {
        let (values, owned) = (self.values, type_name(&ty.elem));
        let problem = format!("{values} cross by value: use `{owned}`");
        self.mistakes.add(ty, problem);
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.mistakes
            .add(ty, "a closure has fixed types: name the type itself");
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
        self.mistakes
            .add(ty, "a closure gives a value back: use `()`");
    }

    fn visit_type_infer(&mut self, ty: &TypeInfer) {
        self.mistakes
            .add(ty, "a closure has fixed types: write the type itself");
    }

    /// The length of an array holds no values that cross.
    fn visit_expr(&mut self, _: &Expr) {}
}

/// The type to write in place of a reference.
fn owned(ty: &TypeReference) -> String {
    match &*ty.elem {
        Type::Slice(slice) => format!("Vec<{}>", type_name(&slice.elem)),
        Type::Reference(inner) => owned(inner),
        elem => match type_name(elem).as_str() {
            "str" => "String".to_owned(),
            "Path" => "PathBuf".to_owned(),
            name => name.to_owned(),
        },
    }
}
