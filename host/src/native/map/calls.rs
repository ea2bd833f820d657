//! Conversion of closures to items.

use std::sync::Arc;

use hype_wire::Digest;

use crate::call::closure::Call;
use crate::call::component::{Component, ComponentFunction};
use crate::call::handle::OpenCall;
use crate::error::{Error, Result};
use crate::map::items::ItemFunction;

/// The functions that the items of a map have called so far, all of one component.
#[derive(Default)]
pub(crate) struct Functions {
    component: Option<Component>,
    /// A call without arguments of each function.
    known: Vec<(Call, Arc<ItemFunction>)>,
}

/// A function that an item calls.
pub(crate) struct Found {
    pub(crate) function: Arc<ItemFunction>,
    /// The function in its component, if no earlier item has called it.
    pub(crate) is_new: Option<ComponentFunction>,
}

/// The error of a closure that is not an item of its map.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// Only this item fails.
    Item(Error),
    /// The map can't continue.
    Map(Error),
}

impl Functions {
    /// Returns the function that the item `index` calls.
    pub(crate) fn find(
        &mut self,
        index: u64,
        call: &Call,
    ) -> std::result::Result<Found, Rejection> {
        let known = self.known.iter().find(|(known, _)| known.has_same_function(call));
        call.check_count().map_err(Rejection::Item)?;
        if let Some((_, function)) = known {
            return Ok(Found { function: Arc::clone(function), is_new: None });
        }
        // Each call of a function that is not found would fail for the same reason.
        let found = call.component_function().map_err(Rejection::Map)?;
        self.check_component(index, call.function(), found.component()).map_err(Rejection::Map)?;
        let function = Arc::new(ItemFunction {
            name: call.function().to_owned(),
            reference: found.reference(),
            has_wit_types: call.has_wit_types(),
            step: 0,
        });
        self.known.push((call.without_arguments(), Arc::clone(&function)));
        Ok(Found { function, is_new: Some(found) })
    }

    /// Returns a function that takes values of the map as the step `step` of its items.
    pub(crate) fn find_following(&self, open: &OpenCall, step: usize) -> Result<Arc<ItemFunction>> {
        let found = open.component_function()?;
        if let Some(own) = &self.component {
            check_following(open, &found, own.name(), &own.digest())?;
        }
        Ok(Arc::new(ItemFunction {
            name: open.function().to_owned(),
            reference: found.reference(),
            has_wit_types: open.has_wit_types(),
            step,
        }))
    }

    /// Rejects a call of another component than that of the earlier items.
    fn check_component(&mut self, index: u64, function: &str, component: &Component) -> Result<()> {
        let first = self.component.get_or_insert_with(|| component.clone());
        if first.digest() == component.digest() {
            return Ok(());
        }
        let (own, other) = (first.name(), component.name());
        let message = match own == other {
            true => format!("item {index} of the map calls `{function}` of another file {other}"),
            false => format!(
                "item {index} of the map calls `{function}` of {other}, and the items before it call functions of {own}"
            ),
        };
        Err(Error::input(message).hint("use one map for each component"))
    }
}

/// Rejects a function that takes values of a map, if it is not of the map's component.
pub(crate) fn check_following(
    open: &OpenCall,
    found: &ComponentFunction,
    own: &str,
    digest: &Digest,
) -> Result<()> {
    if found.component().digest() == *digest {
        return Ok(());
    }
    let (function, other) = (open.function(), found.component().name());
    let message = match own == other {
        true => format!("`{function}`, which takes values of the map, is of another file {other}"),
        false => format!(
            "`{function}`, which takes values of the map, is of {other}, and the items call functions of {own}"
        ),
    };
    Err(Error::input(message).hint(
        "the functions of a map are of one component; Run::then takes a function of any component",
    ))
}
