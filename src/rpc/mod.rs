//! Alibaba Cloud's RPC protocol, for any of its products: signed requests over HTTP, and the parts that all answers have in common.
//! A product gives its name, version, hosts and parameters. Nothing here depends on RDS or Kubernetes.

mod body;
mod calls;
mod client;
mod clock_offset;
mod credentials;
mod decode;
mod document;
mod egress;
mod endpoint;
mod hosts;
mod http;
mod limit;
mod places;
mod redact;
mod reqwest_transport;
mod response;
mod sign;
mod turns;

pub use calls::{CallCounts, CallOutcome};
pub use client::{Api, Client, ClientError, ClientOptions, Stamp};
pub use credentials::Credentials;
pub use document::{Document, DocumentClient};
pub use egress::{Authorities, Egress, EgressError, Proxy, Reach};
pub use endpoint::{Endpoint, EndpointError};
pub use hosts::{Hosts, Network, Region, RegionError, check_region};
pub use http::{Failure, HttpRequest, HttpResponse, HttpTransport};
pub use limit::{LONGEST_PAUSE, Limiter};
pub use places::{Place, Places};
pub use response::{Response, ServiceError, text};
pub use sign::SignatureVersion;
