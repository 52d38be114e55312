//! Access keys and the signatures of requests: each kind of signature is a file of its own.

mod acs3;
mod encoding;
mod key;
mod nonces;
mod rpc1;
mod verify;

pub use key::Key;
pub(super) use nonces::Nonces;
pub(super) use verify::{claimed_key, verify};
