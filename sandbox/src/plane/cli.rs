//! `sandbox plane`: a control plane that runs until Ctrl-C.

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::control_plane::{Plane, PlaneOptions};
use super::error::PlaneError;

/// Start a Kubernetes control plane and leave it running until Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct PlaneArgs {
    /// Leave the directory behind, with its logs.
    #[arg(long)]
    pub keep: bool,
    /// The plane's directory, new or empty [default: a fresh temporary one].
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Runs a plane until Ctrl-C, SIGTERM, or until a component of it ends, which is an error.
pub async fn run(args: PlaneArgs) -> Result<(), PlaneError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PlaneError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(PlaneError::Signals)?;
    let options = PlaneOptions { dir: args.dir, keep: args.keep, ..PlaneOptions::default() };
    let mut plane = tokio::select! {
        plane = Plane::start(options) => plane?,
        _ = interrupt.recv() => return Ok(()), // Dropping the start kills and removes what there is so far.
        _ = terminate.recv() => return Ok(()),
    };
    println!("export KUBECONFIG={}", quoted(plane.kubeconfig()));
    println!("# kubectl    {}", plane.kubectl().program().display());
    println!("# audit log  {}", plane.audit_log().display());
    println!("# Ctrl-C stops it{}.", if args.keep { " and keeps its directory" } else { " and removes all of it" });
    let ended = tokio::select! {
        broken = plane.broken() => Err(broken.into()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    eprintln!("stopping");
    plane.stop().await;
    ended
}

/// Quoted for a shell.
pub(crate) fn quoted(path: &std::path::Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
