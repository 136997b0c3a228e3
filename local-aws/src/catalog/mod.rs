//! The seller's side of AWS Marketplace: the catalog of products and offers, and the change sets that change it.
//!
//! `described` makes the entities of a product; `start` accepts a change set within the limits of
//! `change_types`; `change_set` holds its progress; `progress` ends it, and `product` and `offer` apply it. `control`
//! and `decision` are for operators and tests.
//!
//! Nothing runs in the background: each access to the catalog first ends the change sets that are due by the clock.

mod change_set;
mod change_types;
mod control;
mod decision;
mod described;
mod entity;
mod members;
mod offer;
mod product;
mod progress;
mod start;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::Clock;
use jiff::{SignedDuration, Timestamp};
use marketplace_ids::AccountId;

use crate::marketplace::IdGenerator;
use crate::product::Product;
pub(crate) use change_set::{Change, ChangeSet, RequestedChange, RequestedChangeSet};
pub use change_set::{FailureCode, Status};
pub use control::{ChangeOverview, ChangeSetOverview, EntityOverview};
pub use decision::{Decision, NextChangeSet, Verdict};
pub(crate) use entity::{Entities, Entity};
pub use entity::{EntityKind, ErrorDetail};
pub use members::merge_patch;
pub(crate) use progress::CancelError;
pub(crate) use start::StartError;

/// The seller's catalog. Clones share it.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    seller: AccountId,
    products: Vec<Product>,
    /// The time that a change set takes from its start to its end.
    change_set_duration: SignedDuration,
    ids: IdGenerator,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entities: Entities,
    /// The change sets, oldest first.
    change_sets: Vec<ChangeSet>,
    /// The outcome of the next change set, if a control call has set one.
    next: Option<NextChangeSet>,
}

impl Catalog {
    /// Opens a catalog in which every product is complete and limited to test accounts.
    pub(super) fn open(
        clock: Clock,
        seller: AccountId,
        products: Vec<Product>,
        change_set_duration: SignedDuration,
        ids: IdGenerator,
    ) -> Self {
        let now = clock.now();
        let entities = products.iter().flat_map(|product| described::complete(product, now));
        let entities = entities.map(|entity| (entity.id.clone(), entity)).collect();
        let state = Mutex::new(State { entities, ..State::default() });
        Self(Arc::new(Shared { clock, seller, products, change_set_duration, ids, state }))
    }

    /// Returns the entity with that id.
    pub(crate) fn entity(&self, id: &str) -> Option<Entity> {
        self.settled().entities.get(id).cloned()
    }

    /// Returns all entities of a kind.
    pub(crate) fn entities(&self, kind: EntityKind) -> Vec<Entity> {
        self.settled().entities.values().filter(|entity| entity.kind == kind).cloned().collect()
    }

    /// Returns the change set with that id.
    pub(crate) fn change_set(&self, id: &str) -> Option<ChangeSet> {
        self.settled().change_sets.iter().find(|change_set| change_set.id == id).cloned()
    }

    /// Returns all change sets, oldest first.
    pub(crate) fn change_sets(&self) -> Vec<ChangeSet> {
        self.settled().change_sets.clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns the ARN of an entity or a change set: `kind` is `SaaSProduct`, `Offer` or `ChangeSet`.
    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:aws-marketplace:us-east-1:{}:AWSMarketplace/{kind}/{id}", self.0.seller)
    }

    /// Returns the state after ending every change set that is due by now.
    fn settled(&self) -> MutexGuard<'_, State> {
        // A change set is applied to a copy, which replaces the state once it is complete. So a poisoned lock guards a
        // complete state.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.now(), &self.0.ids);
        state
    }
}
