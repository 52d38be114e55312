//! A whole world on one machine: a control plane, a simulated RDS endpoint, and the operator's CRDs, RBAC, Secret and configuration in
//! place, so that only the operator's process is missing.

pub mod build;
pub mod cli;
mod config;
mod error;
mod health;
mod install;
mod installed;
mod monitoring;
mod operator;
mod running;
mod short_rules;

pub use config::{Signature, operator_config};
pub use error::WorldError;
pub use health::Answer;
pub use installed::{NAMESPACE, SECRET, SERVICE_ACCOUNT};
pub use monitoring::{Monitoring, MonitoringError};
pub use operator::{LogFormat, Operator, OperatorError, StartOperator};
pub use running::{World, WorldOptions};
pub use short_rules::RulesError;
