//! A simulated RDS endpoint and a real Kubernetes control plane, to try and to test the operator on one machine.
//!
//! It uses no code of the operator: a judge shares no code with what it judges.

pub mod bench;
pub mod demo;
pub mod faults;
mod http;
pub mod manifests;
pub mod marks;
pub mod metadata;
pub mod plane;
pub mod rds;
pub mod sts;
mod tasks;
pub mod up;
pub mod world;
