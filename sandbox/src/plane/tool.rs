//! `kubectl` and `helm`, with everything given explicitly: nothing of the user's own configuration is read or written.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// No call to a plane on one machine takes so long: one that does hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A command line client that speaks to one plane as one user.
#[derive(Debug, Clone)]
pub struct Tool {
    name: &'static str,
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

/// The client of the plane's own version.
pub type Kubectl = Tool;

/// Why a call of kubectl gave no answer.
pub type KubectlError = ToolError;

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be run at all.
    #[error("{tool} {args} could not be run")]
    Run {
        /// Which client.
        tool: &'static str,
        /// The arguments of the call.
        args: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("{tool} {args} failed ({status}): {stderr}")]
    Failed {
        /// Which client.
        tool: &'static str,
        /// The arguments of the call.
        args: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed to stderr.
        stderr: String,
    },
    /// It was killed because it took too long.
    #[error("{tool} {args} did not end within {limit:?}")]
    TimedOut {
        /// Which client.
        tool: &'static str,
        /// The arguments of the call.
        args: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It printed something else than the JSON that was asked for.
    #[error("{tool} {args} did not print JSON")]
    NotJson {
        /// Which client.
        tool: &'static str,
        /// The arguments of the call.
        args: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl ToolError {
    /// What it printed to stderr, empty if it did not get that far.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } => stderr,
            Self::Run { .. } | Self::TimedOut { .. } | Self::NotJson { .. } => "",
        }
    }
}

impl Tool {
    pub(super) fn new(name: &'static str, program: &Path, kubeconfig: &Path, home: &Path) -> Self {
        Self { name, program: program.to_owned(), kubeconfig: kubeconfig.to_owned(), home: home.to_owned() }
    }

    /// One that speaks to no API server, for what needs none (`helm template`).
    pub fn without_plane(name: &'static str, program: &Path, home: &Path) -> Self {
        Self::new(name, program, Path::new("/dev/null"), home)
    }

    /// The same as another user.
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), ..self.clone() }
    }

    /// The binary.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs it and returns what it prints to stdout.
    pub async fn run(&self, args: &[&str]) -> Result<String, ToolError> {
        self.call(args, None).await
    }

    /// Runs it with `stdin` as its input (`apply -f -`).
    pub async fn run_with_input(&self, args: &[&str], stdin: &str) -> Result<String, ToolError> {
        self.call(args, Some(stdin)).await
    }

    /// Runs it with `-o json` appended.
    pub async fn json(&self, args: &[&str]) -> Result<serde_json::Value, ToolError> {
        let args = [args, &["-o", "json"]].concat();
        let printed = self.run(&args).await?;
        serde_json::from_str(&printed).map_err(|source| ToolError::NotJson { tool: self.name, args: args.join(" "), source })
    }

    /// Runs it for as long as its output is read, line by line: for watches. Its stderr is discarded.
    pub fn stream(&self, args: &[&str]) -> Result<Stream, ToolError> {
        let failed = |source| ToolError::Run { tool: self.name, args: args.join(" "), source };
        let mut child = self.command(args).stdin(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| failed(std::io::Error::other("it has no standard output")))?;
        Ok(Stream { lines: BufReader::new(stdout).lines(), _child: child })
    }

    async fn call(&self, args: &[&str], stdin: Option<&str>) -> Result<String, ToolError> {
        let work = self.exchange(args, stdin);
        let output = match tokio::time::timeout(LIMIT, work).await {
            Ok(output) => output.map_err(|source| ToolError::Run { tool: self.name, args: args.join(" "), source })?,
            Err(_) => return Err(ToolError::TimedOut { tool: self.name, args: args.join(" "), limit: LIMIT }),
        };
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(ToolError::Failed { tool: self.name, args: args.join(" "), status: output.status, stderr });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn exchange(&self, args: &[&str], stdin: Option<&str>) -> std::io::Result<std::process::Output> {
        let input = if stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self.command(args).stdin(input).stderr(Stdio::piped()).spawn()?;
        let pipe = child.stdin.take();
        let feed = async {
            if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
                // A kubectl that refuses its arguments never reads its input: the error to report is its own.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), feed);
        output
    }

    /// Not supervised, unlike the plane's components: a client ends by itself as soon as its API server is gone.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().env("KUBECONFIG", &self.kubeconfig).stdout(Stdio::piped()).kill_on_drop(true);
        command.env("HOME", &self.home); // Their caches go there.
        command
    }
}

/// A client whose output is being read. Dropping it kills it.
#[derive(Debug)]
pub struct Stream {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Stream {
    /// The next line, or None once it has ended. Nothing is lost if this is dropped half-way.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }
}
