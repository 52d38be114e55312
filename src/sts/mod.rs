//! The Security Token Service (API version 2015-04-01): temporary keys of RAM roles, in exchange for a token of the cluster or for another
//! key. It knows nothing of Kubernetes.

mod client;
mod error;
mod hosts;

pub use client::{AssumeRole, AssumeRoleWithOidc, Client, Session};
pub use error::{StsError, StsErrorKind};
pub use hosts::endpoint;
