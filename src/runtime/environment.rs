//! The one place that reads the process's environment.

/// The settings that the pod's environment gives.
#[derive(Clone)]
pub(super) struct Environment {
    /// The operator's own namespace (`POD_NAMESPACE`): where its Secrets are. If it is not set, the namespace of the kubeconfig or of the
    /// ServiceAccount is used.
    pub namespace: Option<String>,
    /// The name of the operator's Deployment (`INSTALL_NAME`): the lease's holder is named by it.
    pub install_name: Option<String>,
    /// The operator's name in events: the pod's name, or else the host's.
    pub instance: String,
}

impl Environment {
    pub fn read() -> Self {
        let instance = lookup("POD_NAME").or_else(|| lookup("HOSTNAME")).unwrap_or_else(|| "rds-backup-operator".to_owned());
        Self { namespace: lookup("POD_NAMESPACE"), install_name: lookup("INSTALL_NAME"), instance }
    }
}

/// One variable; an empty one counts as absent.
pub fn get(key: &str) -> Option<String> {
    lookup(key)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
fn lookup(key: &str) -> Option<String> {
    std::env::var(key).ok().filter(|value| !value.is_empty())
}
