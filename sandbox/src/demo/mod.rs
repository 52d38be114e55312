//! `sandbox demo`: a world, the samples, and the way of each of them to its end.

pub mod board;
mod play;
pub mod samples;
mod screen;
pub mod seen;

use std::io;

use crate::plane::KubectlError;
use crate::world::cli::{Interrupts, PrepareError, WorldArgs};
use crate::world::{OperatorError, WorldError};

use samples::SamplesError;

/// Start everything, apply the samples, show how each one ends, and stop.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

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
    /// The control plane broke down.
    #[error(transparent)]
    Plane(#[from] crate::plane::StartError),
    /// The objects could not be watched.
    #[error("the watch of the objects ended {0} times")]
    Watch(u32),
    /// Nobody reads what is shown, or signals cannot be listened for.
    #[error("standard output or signals")]
    Io(#[from] io::Error),
}

/// Runs the demo and returns the exit code: 0 if every sample ended as expected, 1 if not, 130 after Ctrl-C.
pub async fn run(args: DemoArgs) -> Result<u8, DemoError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        as_expected = play::play(&args.world) => Ok(u8::from(!as_expected?)),
        // Dropping the play kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}
