//! `sandbox demo` on the command line.

use super::error::DemoError;
use super::session;
use crate::world::cli::{Interrupts, WorldArgs};

/// Start everything, apply the samples, show how each one ends, and stop.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// The world.
    #[command(flatten)]
    pub world: WorldArgs,
}

/// Runs the demo and returns the exit code: 0 if every sample ended as expected, 1 if not, 130 after Ctrl-C.
pub async fn run(args: DemoArgs) -> Result<u8, DemoError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        as_expected = session::run(&args.world) => Ok(u8::from(!as_expected?)),
        // Dropping the session kills what it started and removes its directory.
        code = interrupts.come() => Ok(code),
    }
}
