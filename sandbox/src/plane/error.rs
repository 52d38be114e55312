//! Why there is no control plane, or why it cannot do what it was asked.

use std::path::PathBuf;

use super::binaries::BinariesError;
use super::certs::CertsError;
use super::directory::DirectoryError;
use super::reader::ReadError;
use super::start::StartError;
use super::tool::KubectlError;

/// Why there is no plane, or why it cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The programs are missing.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// Its directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Its certificates cannot be made.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// A component does not run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// Its objects cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A kubeconfig could not be written.
    #[error("the kubeconfig {} could not be written", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A signal handler could not be installed.
    #[error("listening for Ctrl-C")]
    Signals(#[source] std::io::Error),
    /// A component could not be killed, or its data not be removed.
    #[error("{component} could not be stopped, or its data not be removed")]
    Outage {
        /// The component.
        component: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// etcd did not compact its history.
    #[error("etcd did not compact its history: {0}")]
    Compaction(String),
}
