//! Why there is no world, or why it cannot do what it was asked.

use std::io;
use std::path::PathBuf;

use super::operator::OperatorError;
use crate::plane::{KubectlError, PlaneError};

/// Why there is no world, or why it cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The control plane does not run, or refused an object of the world.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The simulated endpoint does not run.
    #[error("the simulated RDS endpoint does not start")]
    Endpoint(#[source] io::Error),
    /// A file or directory that the world needs is not there.
    #[error("{what} is not at {}", path.display())]
    Missing {
        /// What it is.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of the world could not be written.
    #[error("{} could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operator's process.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}
