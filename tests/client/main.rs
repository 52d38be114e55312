//! The client of the cloud: its calls against the simulated endpoint, the promise that it never sends a request twice, old gateways, and
//! the API's own pages.

mod api_pages;
mod calls;
mod canary;
mod deletable;
mod detached;
mod egress;
mod instances;
mod no_resend;
mod old_gateway;
mod profiles;
