use std::net::SocketAddr;

use crate::controller::without_secrets;

/// An error that ends the process.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no kubeconfig, and the process does not run in a pod.
    #[error("there is no API server to talk to: set KUBECONFIG, or run in a pod with a ServiceAccount ({})", without_secrets(.0))]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The client of the API server could not be made.
    #[error("the client of the API server cannot be made: {}", without_secrets(.0))]
    Client(#[from] kube::Error),
    /// The health server could not listen.
    #[error("health and metrics cannot be served on {address}: {source}; choose another --health-addr")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another replica may lead now. Kubernetes starts this one again, and it stands by.
    #[error(
        "the lease {0} was lost: it could not be renewed for 10 s, or another process took it; this process ends, and stands by when it is started again"
    )]
    LeaseLost(String),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_does_not_parse_is_not_repeated() {
        let error = kube::config::Kubeconfig::from_yaml("clusters: hidden\n").unwrap_err();
        let error = RunError::Client(kube::Error::InferKubeconfig(error));
        let said = error.to_string();
        assert!(!said.contains("hidden") && said.contains("no valid YAML"), "{said}");
    }
}
