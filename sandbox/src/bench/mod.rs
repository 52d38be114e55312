//! `sandbox bench`: what the operator costs and how late it is, measured from the API server's audit log.

mod figures;
mod schedules;

use std::io;

use clap::Subcommand;

use crate::plane::KubectlError;
use crate::world::cli::{Interrupts, PrepareError};
use crate::world::{OperatorError, WorldError};

pub use schedules::SchedulesArgs;

/// Measure the operator on this machine.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    Schedules(SchedulesArgs),
}

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

/// Runs a benchmark and returns the exit code: 1 if what was counted is wrong, whatever the times are; 130 after Ctrl-C.
pub async fn run(args: BenchArgs) -> Result<u8, BenchError> {
    let mut interrupts = Interrupts::listen()?;
    let Bench::Schedules(schedules) = args.bench;
    tokio::select! {
        right = schedules::run(&schedules) => Ok(u8::from(!right?)),
        // Dropping the benchmark kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}
