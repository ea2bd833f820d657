//! What the runs of a runner share: where they are, and the watches of their Pods.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::super::cluster::Reached;
use super::super::events::Events;
use super::super::leftovers::Leftovers;
use super::super::watching::Watch;
use super::Inner;
use crate::run::lease;
use crate::runner::labels;

impl Inner {
    pub(super) fn leftovers<'a>(&self, reached: &'a Reached) -> Leftovers<'a> {
        Leftovers { reached, patience: reached.patience(self.graces.server) }
    }

    /// The namespaces that this process itself runs things in.
    pub(super) fn own_namespaces(&self, reached: &Reached) -> BTreeSet<String> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeSet<_> = watches.keys().cloned().collect();
        all.insert(reached.namespace.clone());
        all
    }

    /// The same, and those that others are said to have run things in.
    pub(super) fn namespaces(&self, reached: &Reached) -> BTreeSet<String> {
        let mut all = self.own_namespaces(reached);
        all.extend(self.named.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        all
    }

    pub(super) fn watches(&self, reached: &Reached, namespace: &str) -> (Watch, Events) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = watches.entry(namespace.to_owned()).or_insert_with(|| {
            let selector = format!("{}={}", labels::SUBMITTER, lease::owner());
            let patience = reached.patience(self.graces.server);
            let pods = Watch::new(reached.api(namespace), selector, patience);
            (pods, Events::new(reached.api(namespace)))
        });
        shared.clone()
    }
}
