//! Alibaba Cloud's RPC protocol, for any of its products: signed requests over HTTP, and what all their answers have in common.
//! It knows no product and nothing of Kubernetes.

pub(crate) mod clock_offset;
mod credentials;
pub(crate) mod decode;
mod endpoint;
pub(crate) mod hosts;
pub(crate) mod limit;
pub(crate) mod redact;
pub(crate) mod sign;
pub(crate) mod transport;

pub use credentials::Credentials;
pub use endpoint::{Endpoint, EndpointError, check_region};
pub use hosts::Network;
pub use sign::SignatureVersion;
pub use transport::{Carrier, Failure, Incoming, Outgoing};
