//! Why there is nothing to measure.

use std::io;

use crate::plane::KubectlError;
use crate::world::cli::PrepareError;
use crate::world::{OperatorError, WorldError};

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The operator could not be built.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// There is no world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The operator does not run.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A call of kubectl failed.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// The machine is too slow for what was asked.
    #[error("creating {count} schedules took longer than the {seconds} s until their slot: ask for fewer with --count")]
    TooSlow {
        /// How many.
        count: usize,
        /// How long they had.
        seconds: u64,
    },
    /// The audit log, the standard output or signals.
    #[error("the audit log, standard output or signals")]
    Io(#[from] io::Error),
}
