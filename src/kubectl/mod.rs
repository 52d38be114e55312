//! What the commands share that a person types: the cluster of the kubeconfig, as that person, and requests whose errors name the right
//! that is missing. The operator itself has `controller` for this.

mod ask;
mod connect;
mod error;
mod kind;
mod refusal;
mod tracked;

pub use ask::Session;
pub use connect::{Place, connect};
pub use error::AskError;
pub use kind::{BACKUPS, EVENTS, Kind, NAMESPACES, SCHEDULES};
pub use tracked::{tracked_by, writes_it_back};
