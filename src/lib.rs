//! RDS Backup Operator: backups of ApsaraDB RDS instances, declared in Kubernetes.
//!
//! The map of the crate:
//!
//! - [`api`]: the CRD types, their conditions and reasons. Imports no client.
//! - [`rpc`]: Alibaba Cloud's RPC protocol for any product: signatures, hosts, transport, limits. Knows nothing of RDS.
//! - [`rds`]: the calls of ApsaraDB RDS, their wire types, the model, the error codes. Knows nothing of Kubernetes.
//! - [`sts`]: the temporary keys of the Security Token Service. Knows nothing of Kubernetes.
//! - [`accounts`]: from the name of an account to a client that may act: allow-list, credentials, limits.
//! - [`controller`]: what both kinds share: access to the API server, state per object, retries, the fence of the lease, events.
//! - [`backup`]: RdsBackup: its rules (`decide`), the order of its requests (`pass`), its I/O (`io`).
//! - [`schedule`]: RdsBackupSchedule, with the same file names for the same roles, and cron expressions and slots (`cron`).
//! - [`audit`]: whether the backup sets of succeeded backups are still there.
//! - [`report`]: what is backed up and how old it is, told from the objects of the two kinds.
//! - [`coverage`]: what an account has, beside what the cluster backs up: coverage, generated schedules, sets that nothing claims.
//! - [`restore`]: from an RdsBackup to the call that restores its set.
//! - [`story`]: what happened to one RdsBackup, in order of time.
//! - [`kubectl`]: the cluster as the person of a kubeconfig sees it, for the commands that read it or that a person types.
//! - [`config`]: the operator's configuration file.
//! - [`cli`]: the command line.
//! - [`logging`]: the log, and what may be in it.
//! - [`metrics`]: what `/metrics` says, from the caches and the counters of the other modules.
//! - [`runtime`]: the process: leader election, watches, health, metrics, shutdown.
//! - [`clock`]: the only file that reads the wall clock.
//! - [`entropy`]: the only file that draws random numbers.
//! - [`no_answer`]: why a request has no answer, for the metrics.
//! - [`time`]: time arithmetic that cannot overflow.
//!
//! Dependencies point one way: `runtime -> backup, schedule -> accounts -> sts, rds -> rpc`. `backup`, `schedule` and `report` also use
//! `controller`, `report` reads through `kubectl`, `coverage` uses `report`, `story` asks `backup` for the order of the queue, and every
//! module but `rpc`, `rds` and `sts` may use `api`. No two files import each other.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod accounts;
pub mod api;
pub mod audit;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod coverage;
pub mod entropy;
pub mod kubectl;
pub mod logging;
pub mod metrics;
pub mod no_answer;
pub mod rds;
pub mod report;
pub mod restore;
pub mod rpc;
pub mod runtime;
pub mod schedule;
pub mod story;
pub mod sts;
pub mod time;
