//! What the controllers of both kinds share, once: the API server, the tracker of per-object state, the freshest copy, retry and backoff,
//! the fence of the lease, events, the first list of the watches.

mod backoff;
mod burst;
mod cluster;
mod error;
mod error_text;
mod events;
mod fence;
mod field_times;
mod freshest;
mod guarded;
mod initial_sync;
mod kind;
mod kube_requests;
mod namespace_facts;
mod namespaces;
mod pass_counts;
mod retry;
mod server_clock;
mod surroundings;
mod tracker;
mod watch_client;

pub use backoff::Backoff;
pub use burst::CreationBurst;
pub use cluster::{Cluster, Creation, Found, Scope, WriteResult};
pub use error::Error;
pub(crate) use error_text::{error_text, without_secrets};
pub use events::Event;
pub use fence::Fence;
pub use field_times::written_at;
pub use freshest::Freshest;
pub use guarded::{Guarded, Unreadable};
pub use initial_sync::InitialSync;
pub use kind::Kind;
pub use kube_requests::KubeRequests;
pub use namespaces::{Closed, Namespaces};
pub use pass_counts::{PassCounts, PassFailure};
pub use server_clock::ServerClock;
pub use surroundings::Surroundings;
pub use tracker::{ObjectTracker, PassGuard};
pub use watch_client::answering;
