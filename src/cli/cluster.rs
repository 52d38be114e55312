//! The options of every command that asks a cluster, and the way there.

use std::path::PathBuf;

use super::exit::Failure;
use crate::kubectl::{Place, Session, connect};

/// Where the cluster is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ClusterArgs {
    /// The kubeconfig. [default: $KUBECONFIG, ~/.kube/config, or the cluster that the pod runs in]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// Where the cluster is, and where in it.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The namespace. [default: that of the kubeconfig's context]
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_parser = object_name)]
    namespace: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

impl ClusterArgs {
    /// This namespace of the cluster, or that of the context.
    pub fn place(&self, namespace: Option<String>) -> Place {
        Place { kubeconfig: self.kubeconfig.clone(), context: self.context.clone(), namespace }
    }
}

impl PlaceArgs {
    /// The place that is meant.
    pub fn place(&self) -> Place {
        self.cluster.place(self.namespace.clone())
    }
}

/// Does the work at the cluster.
pub(super) fn at_cluster<T>(args: &PlaceArgs, work: impl AsyncFnOnce(Session) -> Result<T, Failure>) -> Result<T, Failure> {
    block_on(async { work(connect(&args.place()).await?).await })
}

/// Waits for what a command asks for.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::no_answer(format!("the async runtime does not start: {error}")))?;
    let done = runtime.block_on(work);
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
