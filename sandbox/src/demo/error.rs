//! Why a demo did not come to its end.

use std::io;

use super::samples::SamplesError;
use crate::plane::KubectlError;
use crate::world::cli::PrepareError;
use crate::world::{OperatorError, WorldError};

/// Why a demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The operator could not be built.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The samples cannot be used.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// There is no world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The operator does not run.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// A component of the control plane ended.
    #[error(transparent)]
    Plane(#[from] crate::plane::StartError),
    /// The objects could not be watched.
    #[error("the watch of the objects ended {0} times")]
    Watch(u32),
    /// Standard output is closed, or signals cannot be received.
    #[error("standard output or signals")]
    Io(#[from] io::Error),
}
