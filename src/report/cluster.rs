//! The cluster that a command asks, and the objects in it. It needs `list` on them and nothing else.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Api, Client, Config, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::controller::{Guarded, Kind, error_text, without_secrets};

/// So many objects are asked for at a time, as kubectl does: an answer has a few MiB at most.
const PAGE: u32 = 500;

/// The longest that one page takes. kube has no timeout of its own.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that a program takes that the kubeconfig names for credentials. It may ask a person.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(120);

/// A list whose pages have expired on the server is begun again so often.
const MORE_LISTS: usize = 2;

/// Where the objects are.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The kubeconfig; none for `KUBECONFIG`, `~/.kube/config`, or the cluster that the pod runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none for the current one.
    pub context: Option<String>,
    /// The namespace; none for that of the context.
    pub namespace: Option<String>,
    /// All namespaces, and not one.
    pub all_namespaces: bool,
    /// What is asked has an answer for all namespaces only.
    pub needs_all: bool,
}

/// Why the cluster could not be asked. Each says in one line what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no kubeconfig that can be used.
    #[error("there is no cluster to ask: {0}. Set KUBECONFIG or --kubeconfig, or run it in a pod")]
    NoCluster(String),
    /// The kubeconfig has no such context, or the context is incomplete.
    #[error("the kubeconfig cannot be used: {0}. `kubectl config get-contexts` lists the contexts for --context")]
    Context(String),
    /// The credentials of the kubeconfig cannot be had, or its certificates not be read.
    #[error("the credentials of the kubeconfig cannot be used: {0}. Try `kubectl auth whoami`")]
    Credentials(String),
    /// The API server does not know the user.
    #[error("the API server does not accept the credentials: log in again, and try `kubectl auth whoami`")]
    Unauthenticated,
    /// The user may not list the objects.
    #[error("{user} may not list {plural} in {place}: {cure}")]
    Forbidden {
        /// The user, as the API server names it.
        user: String,
        /// The kind.
        plural: &'static str,
        /// The namespace, or all.
        place: String,
        /// What to do.
        cure: String,
    },
    /// The API server does not know the kind.
    #[error(
        "the cluster does not know {0}.rdsbackup.io: install the CRDs with `rds-backup-operator crds | kubectl apply --server-side -f -`"
    )]
    NoKind(&'static str),
    /// It did not answer.
    #[error("the API server {server} did not answer within {} s: try `kubectl cluster-info`", TIMEOUT.as_secs())]
    Silent {
        /// Its address.
        server: String,
    },
    /// It answered with another error, or not over HTTP at all.
    #[error("the API server {server} cannot be asked for {plural}: {problem}; try `kubectl cluster-info`")]
    Other {
        /// Its address.
        server: String,
        /// The kind.
        plural: &'static str,
        /// Why.
        problem: String,
    },
}

/// A cluster, as the user of a command sees it.
pub struct Cluster {
    client: Client,
    server: String,
    namespace: Option<String>,
    needs_all: bool,
}

/// Connects to the cluster. No request is sent yet, but the kubeconfig's program for the credentials may run.
///
/// # Errors
/// There is no cluster to ask.
pub async fn connect(source: &Source) -> Result<Cluster, ReadError> {
    // This fails when a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = config(source).await?;
    // With this retry kube would repeat a request for minutes, and an answer such as 503 would never be seen.
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    let namespace =
        (!source.all_namespaces && !source.needs_all).then(|| source.namespace.clone().unwrap_or_else(|| config.default_namespace.clone()));
    // The kubeconfig may name a program for the credentials, and kube waits for it where it stands.
    let client = tokio::task::spawn_blocking(move || Client::try_from(config));
    let client = match tokio::time::timeout(CREDENTIALS_TIMEOUT, client).await {
        Ok(Ok(Ok(client))) => client,
        Ok(Ok(Err(error))) => return Err(ReadError::Credentials(one_line(&without_secrets(&error)))),
        Ok(Err(_)) | Err(_) => return Err(ReadError::Credentials("the program that it names did not answer".to_owned())),
    };
    Ok(Cluster { client, server, namespace, needs_all: source.needs_all })
}

async fn config(source: &Source) -> Result<Config, ReadError> {
    let options = KubeConfigOptions { context: source.context.clone(), ..KubeConfigOptions::default() };
    match &source.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| of_kubeconfig(&error))?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| of_kubeconfig(&error))
        }
        None => match Config::from_kubeconfig(&options).await {
            Ok(config) => Ok(config),
            // The pod's own cluster is not the one that a person means who has a kubeconfig.
            Err(error) if source.context.is_some() || has_kubeconfig() => Err(of_kubeconfig(&error)),
            Err(error) => Config::incluster().map_err(|_| of_kubeconfig(&error)),
        },
    }
}

fn has_kubeconfig() -> bool {
    names_kubeconfig(std::env::var_os("KUBECONFIG").as_deref(), std::env::home_dir().as_deref())
}

/// Whether one is named by the variable, or in its usual place: also one that cannot be used.
fn names_kubeconfig(variable: Option<&OsStr>, home: Option<&Path>) -> bool {
    let is_in_its_place = |home: &Path| !matches!(home.join(".kube/config").try_exists(), Ok(false));
    variable.is_some_and(|paths| !paths.is_empty()) || home.is_some_and(is_in_its_place)
}

/// What is wrong with a kubeconfig. A text that does not parse is not repeated: there may be a token in it.
fn of_kubeconfig(error: &KubeconfigError) -> ReadError {
    match error {
        KubeconfigError::Parse(_) => ReadError::NoCluster("the kubeconfig is no valid YAML of its kind".to_owned()),
        KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath => ReadError::NoCluster(one_line(&error.to_string())),
        KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_)
        | KubeconfigError::ParseCertificates(_) => ReadError::Credentials(one_line(&error.to_string())),
        error => ReadError::Context(one_line(&error.to_string())),
    }
}

impl Cluster {
    /// The client of its API server.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The namespace that is asked for; none for all.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// All objects of a kind, page by page.
    ///
    /// # Errors
    /// The cluster could not be asked.
    pub async fn all<K: Kind>(&self, plural: &'static str) -> Result<Vec<Guarded<K>>, ReadError> {
        let api: Api<Guarded<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        self.pages(plural, api, reduced).await
    }

    /// The same as the API server has them, with the fields that this release does not know.
    ///
    /// # Errors
    /// The cluster could not be asked.
    pub async fn all_raw<K: Kind>(&self, plural: &'static str) -> Result<Vec<Value>, ReadError> {
        let resource = ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        self.pages(plural, api, raw).await
    }

    async fn pages<O: Clone + fmt::Debug + DeserializeOwned, T>(
        &self,
        plural: &'static str,
        api: Api<O>,
        kept: fn(O) -> T,
    ) -> Result<Vec<T>, ReadError> {
        let mut lists = 0;
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let params = ListParams { limit: Some(PAGE), continue_token: from.take(), ..ListParams::default() };
            let page = match tokio::time::timeout(TIMEOUT, api.list(&params)).await {
                Ok(Ok(page)) => page,
                // Expired: etcd has compacted the version that the pages are of.
                Ok(Err(kube::Error::Api(status))) if status.code == 410 && lists < MORE_LISTS => {
                    lists += 1;
                    found.clear();
                    continue;
                }
                Ok(Err(error)) => return Err(self.refused(plural, &error)),
                Err(_) => return Err(ReadError::Silent { server: self.server.clone() }),
            };
            found.extend(page.items.into_iter().map(kept));
            from = page.metadata.continue_.filter(|token| !token.is_empty());
            if from.is_none() {
                return Ok(found);
            }
        }
    }

    fn refused(&self, plural: &'static str, error: &kube::Error) -> ReadError {
        match error {
            kube::Error::Api(status) if status.code == 401 => ReadError::Unauthenticated,
            kube::Error::Api(status) if status.code == 403 => self.forbidden(plural, &status.message),
            kube::Error::Api(status) if status.code == 404 => ReadError::NoKind(plural),
            kube::Error::Auth(_) => ReadError::Credentials(one_line(&without_secrets(error))),
            error => ReadError::Other { server: self.server.clone(), plural, problem: one_line(&error_text(error)) },
        }
    }

    /// The ClusterRole is the chart's. A whole cluster needs another binding than a namespace, and one namespace may be readable already.
    fn forbidden(&self, plural: &'static str, message: &str) -> ReadError {
        let user = user_in(message);
        let subject = subject_of(user.as_deref());
        let (place, cure) = match &self.namespace {
            Some(namespace) => {
                let bind =
                    format!("kubectl create rolebinding rds-backup-report -n {namespace} --clusterrole=rds-backup-operator-view {subject}");
                (format!("namespace {namespace}"), format!("`{bind}` grants it"))
            }
            None => {
                let bind = format!("kubectl create clusterrolebinding rds-backup-report --clusterrole=rds-backup-operator-view {subject}");
                let instead = if self.needs_all { "" } else { ", or ask for one namespace with -n" };
                ("all namespaces".to_owned(), format!("`{bind}` grants it{instead}"))
            }
        };
        let user = user.map_or_else(|| "the user".to_owned(), |user| format!("{user:?}"));
        ReadError::Forbidden { user, plural, place, cure }
    }
}

/// A third of an object, which no report shows.
fn reduced<K: Kind>(mut object: Guarded<K>) -> Guarded<K> {
    object.managed_fields_mut().clear();
    object.annotations_mut().clear();
    object
}

/// What can be told of an object whatever its form is.
fn raw(mut object: DynamicObject) -> Value {
    object.managed_fields_mut().clear();
    object.annotations_mut().clear();
    let mut value = object.data;
    value["metadata"] = serde_json::to_value(&object.metadata).unwrap_or_default();
    value
}

/// The user that the API server refuses: `... is forbidden: User "x" cannot list ...`.
fn user_in(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, _) = rest.split_once('"')?;
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:@/".contains(c);
    (!user.is_empty() && user.len() <= 256 && user.chars().all(is_plain)).then(|| user.to_owned())
}

/// The option of `kubectl create rolebinding` that names the user.
fn subject_of(user: Option<&str>) -> String {
    let account = user.and_then(|user| user.strip_prefix("system:serviceaccount:"));
    match (account, user) {
        (Some(account), _) => format!("--serviceaccount={account}"),
        (None, Some(user)) => format!("--user={user}"),
        (None, None) => "--user=USER".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(512).collect()
}

#[cfg(test)]
mod tests;
