//! Why no plan can be run.

use std::io;

use crate::plane::{KubectlError, PlaneError, ReadError};
use crate::world::cli::PrepareError;
use crate::world::{OperatorError, WorldError};

/// Why no plan can be run.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The operator could not be built.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The operator cannot be started or stopped.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The objects could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The control plane could not be killed, or did not come back.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// The API server's certificate cannot be used.
    #[error("the certificate of the API server cannot be used: {0}")]
    Certificate(String),
    /// No plan has such an id.
    #[error("no plan's id contains {0:?}; without --plan all of them run, and are named")]
    NoPlan(String),
    /// A run without faults did not end well.
    #[error("undisturbed, {scenario} did not end: {trouble}")]
    Undisturbed {
        /// Which.
        scenario: String,
        /// Why.
        trouble: String,
    },
    /// The proxies, the audit log, the standard output or signals.
    #[error("the proxies, the audit log, standard output or signals")]
    Io(#[from] io::Error),
}
