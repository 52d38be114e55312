//! Kubeconfig files of the plane: readable by their owner only.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::certs::write_private;

/// The credentials in a kubeconfig.
pub(super) enum Identity<'a> {
    /// A client certificate and its key.
    Certificate { certificate: &'a Path, key: &'a Path },
    /// A bearer token.
    Token(&'a str),
}

/// Writes a kubeconfig with one cluster, one user and one context. JSON, which every reader of kubeconfigs takes since it is YAML, and
/// which needs no quoting of paths.
pub(super) fn write(path: &Path, server: &str, ca: &Path, namespace: &str, identity: &Identity<'_>) -> io::Result<()> {
    let user = match identity {
        Identity::Certificate { certificate, key } => json!({ "client-certificate": certificate, "client-key": key }),
        Identity::Token(token) => json!({ "token": token }),
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "plane", "cluster": { "server": server, "certificate-authority": ca } }],
        "users": [{ "name": "user", "user": user }],
        "contexts": [{ "name": "plane", "context": { "cluster": "plane", "user": "user", "namespace": namespace } }],
        "current-context": "plane",
    });
    write_private(path, &format!("{config:#}\n"))
}

/// Where a ServiceAccount's kubeconfig goes. A dot parts the two since a namespace's name cannot have one, so no two accounts share a file.
pub(super) fn of_service_account(dir: &Path, namespace: &str, name: &str) -> PathBuf {
    dir.join(format!("{namespace}.{name}.kubeconfig"))
}
