//! RDS Backup Operator: backups of ApsaraDB RDS instances, declared in Kubernetes.

pub mod api;
pub mod clock;
