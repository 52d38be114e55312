//! Reads objects of one plane as an administrator, over connections that stay open. A kubectl for each look costs 0.1 s of processor time and
//! more: where a test waits and looks ten times a second, that was more than everything else together.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// No read from an API server on the same machine takes so long: one that does hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// Why something was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The administrator's kubeconfig cannot be used.
    #[error("the administrator's kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// The API server answered with an error, or it cannot be reached.
    #[error("GET {path}: {source}")]
    Failed {
        /// What was asked for.
        path: String,
        /// Why it was not answered.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not answer.
    #[error("GET {path}: no answer within {LIMIT:?}")]
    TimedOut {
        /// What was asked for.
        path: String,
    },
}

/// Reads objects as they are, with everything that the API server keeps in them.
#[derive(Clone)]
pub struct Reader {
    client: kube::Client,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    pub(super) async fn new(kubeconfig: &Path) -> Result<Self, ReadError> {
        let wrong = |error: &dyn std::fmt::Display| ReadError::Kubeconfig(error.to_string());
        let file = Kubeconfig::read_from(kubeconfig).map_err(|error| wrong(&error))?;
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(|error| wrong(&error))?;
        Ok(Self { client: kube::Client::try_from(config).map_err(|error| wrong(&error))? })
    }

    /// The client that it reads with, for what a test does over it beside reads.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// What is at a path of the API, for example `/api/v1/namespaces/team-a/secrets/key`.
    pub async fn get(&self, path: &str) -> Result<Value, ReadError> {
        match self.once(path).await {
            // A connection that was kept may have ended with the server behind it: a new one is tried once.
            Err(ReadError::Failed { source, .. }) if !matches!(*source, kube::Error::Api(_)) => self.once(path).await,
            result => result,
        }
    }

    /// One object of ours: `resource` is `rdsbackups` or `rdsbackupschedules`.
    pub async fn object(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, ReadError> {
        self.get(&format!("{}/{name}", of(resource, namespace))).await
    }

    /// All objects of ours of one resource in a namespace.
    pub async fn objects(&self, resource: &str, namespace: &str) -> Result<Vec<Value>, ReadError> {
        self.items(&of(resource, namespace)).await
    }

    /// The events of a namespace.
    pub async fn events(&self, namespace: &str) -> Result<Vec<Value>, ReadError> {
        self.items(&format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events")).await
    }

    /// The items of the list at a path.
    pub async fn items(&self, path: &str) -> Result<Vec<Value>, ReadError> {
        Ok(self.get(path).await?["items"].as_array().cloned().unwrap_or_default())
    }

    async fn once(&self, path: &str) -> Result<Value, ReadError> {
        let failed = |source| ReadError::Failed { path: path.to_owned(), source: Box::new(source) };
        let request = http::Request::get(path).body(Vec::new()).map_err(|error| failed(kube::Error::HttpError(error)))?;
        match tokio::time::timeout(LIMIT, self.client.request(request)).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(ReadError::TimedOut { path: path.to_owned() }),
        }
    }
}

fn of(resource: &str, namespace: &str) -> String {
    format!("/apis/rdsbackup.io/v1alpha1/namespaces/{namespace}/{resource}")
}
