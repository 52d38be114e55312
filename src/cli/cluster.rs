//! The options of every command that asks a cluster.

use std::path::PathBuf;

use crate::report::Source;

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

impl ClusterArgs {
    /// The cluster, and the namespace that is asked for.
    pub fn source(&self, namespace: Option<String>, all_namespaces: bool) -> Source {
        Source { kubeconfig: self.kubeconfig.clone(), context: self.context.clone(), namespace, all_namespaces, needs_all: false }
    }

    /// The cluster, for what has an answer for all namespaces only.
    pub fn whole(&self) -> Source {
        Source { needs_all: true, ..self.source(None, true) }
    }
}

/// Waits for what a command asks for.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| format!("the async runtime does not start: {error}"))?;
    let done = runtime.block_on(work);
    // A program for credentials that hangs is not waited for.
    runtime.shutdown_background();
    Ok(done)
}
