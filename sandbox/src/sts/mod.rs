//! A simulated Security Token Service, stricter than the real one: it exchanges tokens and keys for temporary keys of roles, refuses what
//! the documentation does not allow, and fails on demand. The keys that it gives out can be handed to the simulated RDS endpoint.

pub mod cli;
mod endpoint;
mod exchange;
mod projected;
mod roles;
mod token;

pub use endpoint::{Options, Settings, Sts, StsCall, Trouble};
pub use projected::ProjectedToken;
pub use roles::{Provider, Role, Trust};
pub use token::Issuer;
