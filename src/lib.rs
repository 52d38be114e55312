//! RDS Backup Operator: backups of ApsaraDB RDS instances, declared in Kubernetes.
//!
//! The house, room by room. Dependencies point one way: `runtime -> backup, schedule -> accounts -> rds`, and all of
//! them to `api` and, for the API server, to `cluster`.

pub mod accounts;
pub mod api;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod entropy;
pub mod rds;
pub mod runtime;
pub mod schedule;
pub mod time;
