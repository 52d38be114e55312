//! Rows of the fault matrix that are more than a fault at one request: a rule of the API server broken for a while, a control plane killed,
//! a clock that is wrong, two replicas.

mod clock;
mod cloud;
mod control_plane;
mod crashes;
mod environment;
mod installs;
mod limits;
mod network;
mod objects;
mod replicas;
mod scopes;
mod secrets;
mod table;
mod tenants;

pub(super) use table::{OwnWorldOptions, ROWS, Row, run};
