//! A simulated RDS endpoint that is stricter than the real one: it verifies signatures, refuses what the documentation does not allow,
//! keeps a ledger of what it accepted, and fails on demand.

mod actions;
mod answer;
mod auth;
mod catalogue;
pub mod cli;
mod clock;
mod clones;
mod cloud;
mod control;
mod deletion;
mod delivery;
mod detached;
mod endpoint;
mod error;
mod faults;
mod gateway;
mod instances;
mod jobs;
mod ledger;
mod request;
mod rules;
mod server;
mod sets;
mod settings;
mod shared;
mod state;
mod wire;

pub use answer::Format;
pub use auth::Key;
pub(crate) use auth::{Nonces, verify};
pub use catalogue::{BackupPolicy, BackupWindow, Catalogue, CatalogueError, Engine, InstanceSpec, ReleasedKeep};
pub use clock::{Clock, ManualClock, Now, SystemClock};
pub(crate) use clock::{later, since};
pub use endpoint::{Endpoint, Options};
pub use error::ApiError;
pub use faults::{Delivery, Effect, Fault, FaultId, FaultRecord, Garbage, When};
pub use ledger::{CallRecord, CloneRecord, DeletionRecord, JobKind, JobOutcome, LedgerEntry, NOT_EXECUTED, OK, Origin, SetRecord};
pub(crate) use request::RawRequest;
pub use request::SignatureVersion;
pub use settings::{Nothing, Quirks, Rate, Settings};
pub use shared::OnCall;
pub use wire::PRESIGNED_CANARY;
