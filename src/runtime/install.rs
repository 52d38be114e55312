//! Which install a replica belongs to, as the lease names it: so a standby sees that a replica of another install leads.

use std::fmt;

use k8s_openapi::api::coordination::v1::Lease;

/// A release of the chart, or another Deployment of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Install {
    /// The namespace of its pods.
    pub namespace: String,
    /// The name of its Deployment, which tells two installs in one namespace apart. None where the environment does not say it.
    pub name: Option<String>,
}

impl Install {
    /// The holder identity of a process of this install: `NAMESPACE/NAME/PROCESS`, or `NAMESPACE/PROCESS` without a name. Neither has a
    /// slash in it.
    pub fn identity(&self, process: &str) -> String {
        format!("{self}/{}", process.replace('/', "-"))
    }

    /// The install whose replica holds the lease, if the answer is a lease that is held, and its holder names one.
    pub fn holding(answer: &[u8]) -> Option<Self> {
        let lease: Lease = serde_json::from_slice(answer).ok()?;
        let holder = lease.spec?.holder_identity?;
        let (install, _process) = holder.rsplit_once('/')?;
        Some(match install.split_once('/') {
            Some((namespace, name)) => Self { namespace: namespace.to_owned(), name: Some(name.to_owned()) },
            None => Self { namespace: install.to_owned(), name: None },
        })
    }

    /// Whether this is certainly another install than that. In one namespace that takes two names: while a Deployment is changed, its old
    /// pods may not say theirs.
    pub fn is_another_than(&self, that: &Self) -> bool {
        self.namespace != that.namespace || matches!((&self.name, &that.name), (Some(this), Some(that)) if this != that)
    }
}

impl fmt::Display for Install {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "{}/{name}", self.namespace),
            None => formatter.write_str(&self.namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn install(namespace: &str, name: &str) -> Install {
        Install { namespace: namespace.to_owned(), name: Some(name.to_owned()).filter(|name| !name.is_empty()) }
    }

    fn holding(holder: &str) -> Option<Install> {
        Install::holding(json!({ "spec": { "holderIdentity": holder } }).to_string().as_bytes())
    }

    #[test]
    fn an_identity_names_its_install() {
        for (namespace, name) in [("ops", "rds"), ("ops", "")] {
            let install = install(namespace, name);
            assert_eq!(holding(&install.identity("rds-7d9-x_nonce")), Some(install));
        }
        assert_eq!(install("ops", "rds").identity("a/b"), "ops/rds/a-b", "the name of a host");
        // An earlier release's, a released lease, one without a spec, and no lease.
        assert_eq!((holding("rds-7d9-x_nonce"), holding("")), (None, None));
        assert_eq!((Install::holding(b"{}"), Install::holding(b"<html>")), (None, None));
    }

    #[test]
    fn another_install_has_another_namespace_or_another_name() {
        let ours = install("ops", "rds");
        for (other, expected) in [
            (install("ops", "rds"), false),
            (install("ops", ""), false),
            (install("ops", "second"), true),
            (install("dba", "rds"), true),
            (install("dba", ""), true),
        ] {
            assert_eq!((other.is_another_than(&ours), ours.is_another_than(&other)), (expected, expected), "{other}");
        }
    }
}
