//! The sandbox on the command line: `cargo sandbox`.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rds_backup_sandbox::bench::{self, BenchArgs};
use rds_backup_sandbox::demo::{self, DemoArgs};
use rds_backup_sandbox::faults::{self, FaultsArgs};
use rds_backup_sandbox::manifests::{self, ManifestsArgs};
use rds_backup_sandbox::plane::cli::{self as plane, PlaneArgs};
use rds_backup_sandbox::rds::cli::{self as rds, RdsArgs};
use rds_backup_sandbox::sts::cli::{self as sts, StsArgs};
use rds_backup_sandbox::up::{self, UpArgs};

/// Try the operator on one machine: a real Kubernetes control plane and a simulated RDS endpoint, without Docker and without a cloud
/// account.
#[derive(Debug, Parser)]
#[command(name = "sandbox", bin_name = "cargo sandbox", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(DemoArgs),
    Up(UpArgs),
    Plane(PlaneArgs),
    Rds(RdsArgs),
    Sts(StsArgs),
    Bench(BenchArgs),
    Faults(FaultsArgs),
    Manifests(ManifestsArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Demo(args) => demo::run(args).await.map_err(Box::from),
        Command::Up(args) => up::run(args).await.map(|()| 0).map_err(Box::from),
        Command::Plane(args) => plane::run(args).await.map(|()| 0).map_err(Box::from),
        Command::Bench(args) => bench::run(args).await.map_err(Box::from),
        Command::Faults(args) => faults::run(args).await.map_err(Box::from),
        Command::Manifests(args) => manifests::run(args).await.map(|()| 0).map_err(Box::from),
        Command::Rds(args) => rds::run(args).await.map(|()| 0).map_err(Box::from),
        Command::Sts(args) => sts::run(args).await.map(|()| 0).map_err(Box::from),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes. A cause that the error already names is not repeated.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}
