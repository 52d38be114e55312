//! The command line options of a world, and Ctrl-C: shared by all commands that start one.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::build::{self, OperatorBuildError, Profile};
use super::config::Signature;
use super::running::WorldOptions;
use crate::rds::Settings;

/// The options of a world.
#[derive(Debug, Clone, clap::Args)]
pub struct WorldArgs {
    /// Leave the directory behind, with its logs.
    #[arg(long)]
    pub keep: bool,
    /// The world's directory, new or empty [default: a fresh temporary one].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// An operator that is built already [default: it is built with cargo].
    #[arg(long, value_name = "FILE")]
    pub operator: Option<PathBuf>,
    /// The repository [default: where cargo found the sandbox, else the current directory].
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,
    /// How the operator signs its requests.
    #[arg(long, value_name = "VERSION", value_enum, default_value = "V3")]
    pub signature: Signature,
    /// The endpoint answers in XML, whatever was asked for, as old gateways do.
    #[arg(long)]
    pub xml: bool,
}

/// Why a command could not begin.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The operator could not be built.
    #[error(transparent)]
    Build(#[from] OperatorBuildError),
    /// The repository is not there.
    #[error("the repository {} cannot be used", path.display())]
    Repository {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl WorldArgs {
    /// The repository's directory.
    pub fn repository(&self) -> Result<PathBuf, PrepareError> {
        // `cargo run` names the sandbox's directory, whose parent is the repository.
        let of_cargo = || std::env::var_os("CARGO_MANIFEST_DIR").map(|dir| PathBuf::from(dir).join(".."));
        let path = self.repository.clone().or_else(of_cargo).unwrap_or_else(|| PathBuf::from("."));
        path.canonicalize().map_err(|source| PrepareError::Repository { path, source })
    }

    /// The settings, with answers as they are wanted.
    pub fn dialect(&self, mut settings: Settings) -> Settings {
        settings.quirks.xml_answers = self.xml;
        settings
    }

    /// What a world is made of, with the operator built as the sandbox itself was.
    pub async fn prepare(&self) -> Result<WorldOptions, PrepareError> {
        self.prepare_in(Profile::of_the_sandbox()).await
    }

    /// What a world is made of, with the operator built as users run it: for measurements.
    pub async fn prepare_release(&self) -> Result<WorldOptions, PrepareError> {
        self.prepare_in(Profile::Release).await
    }

    async fn prepare_in(&self, profile: Profile) -> Result<WorldOptions, PrepareError> {
        let repository = self.repository()?;
        let operator = match &self.operator {
            Some(operator) => operator.clone(),
            None => build::operator(&repository, profile).await?,
        };
        let mut options = WorldOptions::new(operator, repository);
        options.settings = self.dialect(options.settings);
        Ok(WorldOptions { dir: self.dir.clone(), keep: self.keep, signature: self.signature, ..options })
    }
}

/// Ctrl-C and SIGTERM, from the moment they are listened for.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Begins to receive them. Call it first, so that none is lost.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The exit code that says which of them came: 130 or 143, as shells have it.
    pub async fn come(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}
