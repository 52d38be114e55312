//! What the commands share that a person types: where the cluster is, names, and how they end.

use std::path::PathBuf;

use crate::kubectl::{AskError, Place, Session, connect};

/// The exit code when the cluster could not be asked, as `report` has it.
const NO_ANSWER: u8 = 3;

/// Where the cluster is, and where in it.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The namespace. [default: that of the kubeconfig's context]
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_parser = object_name)]
    namespace: Option<String>,
    /// The kubeconfig. [default: $KUBECONFIG, ~/.kube/config, or the cluster that the pod runs in]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// What is printed at the end of a command.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// For stdout.
    pub text: String,
    /// Lines for stderr.
    pub notes: Vec<String>,
}

/// Why a command has no result.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code: 1 for an answer that is not what was wanted, 2 for a wrong command line, 3 where the cluster could not be asked.
    pub code: u8,
    /// One line.
    pub message: String,
}

impl Failure {
    /// The cluster answered, and it is not what was wanted.
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self { code: if error.is_about_the_object() { 1 } else { NO_ANSWER }, message: error.to_string() }
    }
}

/// Does the work at the cluster.
pub(super) fn at_cluster<T>(args: PlaceArgs, work: impl AsyncFnOnce(Session) -> Result<T, Failure>) -> Result<T, Failure> {
    let PlaceArgs { namespace, kubeconfig, context } = args;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure { code: NO_ANSWER, message: format!("the async runtime does not start: {error}") })?;
    let done = runtime.block_on(async { work(connect(&Place { kubeconfig, context, namespace }).await?).await });
    // A program for credentials that hangs is not waited for.
    runtime.shutdown_background();
    done
}

/// The name of an object: it becomes a part of a URL.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = !text.is_empty() && text.len() <= 253 && text.chars().all(is_inner) && text.starts_with(is_edge) && text.ends_with(is_edge);
    if good { Ok(text.to_owned()) } else { Err("a name is made of lower-case letters, digits, hyphens and dots".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_another_url_is_refused() {
        for name in ["nightly", "nightly-202611300200", "a.b-c", "0"] {
            assert_eq!(object_name(name).as_deref(), Ok(name));
        }
        for name in ["", "..", "a/b", "a?x=1", "a#b", "A", "a_b", "-a", "a-", "a b", "ä", &"a".repeat(254)] {
            assert!(object_name(name).is_err(), "{name}");
        }
    }
}
