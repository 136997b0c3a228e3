//! The application of events and registrations to the table.
//!
//! Each function applies one event and brings every license that it concerns up to date. A function may be called again
//! with the same event, at any time and in any order: the row keeps the newest event of each kind, and a write holds
//! only if the row is still the one that the write was computed from.

mod customers;
mod entitlements;
mod license_updates;
mod moves;
mod probe;
pub mod reconcile;
mod succession;
mod tenants;

pub use customers::{Customer, Imported, import};
pub use entitlements::{RefreshError, Refreshed, refresh_entitlements};
pub use license_updates::{
    LicenseUpdate, apply_advisory, apply_agreement_event, apply_agreement_observation, apply_license_update, fits,
    register,
};
pub use moves::{Continues, MoveError, continues_moved_license, move_if_due};
pub use probe::{Probe, create_probe};
pub use tenants::{Linking, erase_contact, link_tenant, move_license};
