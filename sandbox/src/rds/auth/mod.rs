//! Access keys and the signatures of requests: each kind of signature is a file of its own.

mod acs3;
mod encoding;
mod key;
mod nonces;
mod rpc1;
mod verify;

pub use key::Key;
pub(crate) use nonces::Nonces;
pub(super) use verify::claimed_key;
pub(crate) use verify::verify;
