//! Why the cluster could not be asked, or would not do it. Each error says in one line what to do.

use std::time::Duration;

/// The longest that one request takes. kube has no timeout of its own.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a request of a person has no result.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
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
    /// The user may not do it.
    #[error("{user} may not {verb} {resource} in {place}: {cure}")]
    Forbidden {
        /// The user, as the API server names it.
        user: String,
        /// The verb that is missing.
        verb: &'static str,
        /// On which resource.
        resource: &'static str,
        /// The namespace, or the cluster.
        place: String,
        /// What to do.
        cure: String,
    },
    /// The API server does not know the kind.
    #[error("the cluster does not know {0}: install the CRDs with `rds-backup-operator crds | kubectl apply --server-side -f -`")]
    NoKind(&'static str),
    /// There is no such object.
    #[error("there is no {kind} {name:?} in {place}: `{list}` lists them")]
    NotFound {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
        /// The command that shows what there is.
        list: String,
    },
    /// The object is there and does not have the form of its kind.
    #[error("the {kind} {name:?} cannot be read: {problem}. The CRDs may be of another release than this program")]
    Unreadable {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        problem: String,
    },
    /// The object was replaced between the read and the write.
    #[error("{0} was deleted and created again in this moment: look at it, and try again")]
    Replaced(String),
    /// The API server refuses the change.
    #[error("the API server refuses to change {what}: {problem}")]
    Refused {
        /// The object.
        what: String,
        /// What it says.
        problem: String,
    },
    /// It did not answer.
    #[error("the API server {server} did not answer within {} s: try `kubectl cluster-info`", TIMEOUT.as_secs())]
    Silent {
        /// Its address.
        server: String,
    },
    /// It answered with another error, or not over HTTP at all.
    #[error("the API server {server} cannot be asked for {resource}: {problem}; try `kubectl cluster-info`")]
    Other {
        /// Its address.
        server: String,
        /// What was asked for.
        resource: &'static str,
        /// Why.
        problem: String,
    },
}

impl AskError {
    /// Whether the cluster answered, and the answer is about the object: there is none, or it is not what is wanted. All other errors say
    /// that the cluster could not be asked.
    pub fn is_about_the_object(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Unreadable { .. } | Self::Replaced(_) | Self::Refused { .. })
    }
}

/// The first line, of a length that a person reads.
pub(super) fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(512).collect()
}
