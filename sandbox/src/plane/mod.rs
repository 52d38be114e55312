//! A real Kubernetes control plane on one machine: etcd, kube-apiserver and kube-controller-manager as plain processes, with RBAC and an
//! audit log, in one temporary directory.

pub mod audit;
mod binaries;
mod build;
mod certs;
pub mod cli;
mod components;
mod control_plane;
mod debian;
mod directory;
mod error;
mod kubeconfig;
mod modules;
mod outage;
mod process;
mod progress;
mod prometheus;
mod reader;
mod start;
mod tool;

pub use binaries::{Binaries, BinariesError, Helms};
pub use build::BuildError;
pub use certs::CertsError;
pub use control_plane::{Plane, PlaneOptions};
pub use debian::DebianError;
pub use directory::DirectoryError;
pub use error::PlaneError;
pub use process::{Signal, Supervised};
pub use progress::Progress;
pub use prometheus::Prometheus;
pub use reader::{ReadError, Reader};
pub use start::StartError;
pub use tool::{Kubectl, KubectlError, Stream, Tool, ToolError};
