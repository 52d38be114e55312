//! `sandbox bench` on the command line.

use clap::Subcommand;

use super::audit::{self, AuditArgs};
use super::error::BenchError;
use super::memory::{self, MemoryArgs};
use super::metrics::{self, MetricsArgs};
use super::schedules::{self, SchedulesArgs};
use crate::world::cli::Interrupts;

/// Measure the operator on this machine.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    Schedules(SchedulesArgs),
    Memory(MemoryArgs),
    Metrics(MetricsArgs),
    Audit(AuditArgs),
}

/// Runs a benchmark and returns the exit code: 1 if what was counted is wrong, whatever the times are; 130 after Ctrl-C.
pub async fn run(args: BenchArgs) -> Result<u8, BenchError> {
    let mut interrupts = Interrupts::listen()?;
    let bench = async {
        match args.bench {
            Bench::Schedules(args) => schedules::run(&args).await,
            Bench::Memory(args) => memory::run(&args).await,
            Bench::Metrics(args) => metrics::run(&args).await,
            Bench::Audit(args) => audit::run(&args).await,
        }
    };
    tokio::select! {
        right = bench => Ok(u8::from(!right?)),
        // Dropping the benchmark kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}
