//! RDS Backup Operator: backups of ApsaraDB RDS instances, declared in Kubernetes.
//!
//! The crate, module by module. Dependencies point one way: `runtime -> backup, schedule -> accounts -> rds -> rpc`, and all of them but
//! `rds` and `rpc` to `api` and, for the API server, to `cluster`.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod accounts;
pub mod api;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod entropy;
pub mod rds;
pub mod rpc;
pub mod runtime;
pub mod schedule;
pub mod time;
