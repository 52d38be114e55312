//! Rows of the fault matrix that are more than a blow at one request: a rule of the API server broken for a while, a control plane killed, a
//! clock that is wrong, two replicas.

mod clock;
mod cloud;
mod crashes;
mod ground;
mod limits;
mod objects;
mod replicas;
mod rough;
mod secrets;
mod server;
mod table;

pub(super) use table::{Makings, ROWS, Row, run};
