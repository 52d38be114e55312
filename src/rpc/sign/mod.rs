//! Signed requests: the parts that travel, and the proof that they come from the owner of the key.
//!
//! Both versions sign every parameter. The older one, V1, has no headers of its own: key, signature and token are parameters. Here they
//! travel in a form body and not in the query, because proxies and gateways write queries to their logs.

mod request;
mod v1;
mod v3;
#[cfg(test)]
mod vectors;
mod version;

pub(super) use request::{Signed, Unsigned, encode, without_signature};
pub use version::SignatureVersion;
pub(super) use version::sign;
