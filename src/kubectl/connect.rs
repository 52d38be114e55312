//! From a kubeconfig to a client, as kubectl finds it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{
    ask::Session,
    error::{AskError, one_line},
};
use crate::controller::without_secrets;

/// The longest that a program takes that the kubeconfig names for credentials. It may ask a person.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(120);

/// Which cluster, and where in it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The kubeconfig; none for `KUBECONFIG`, `~/.kube/config`, or the cluster that the pod runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none for the current one.
    pub context: Option<String>,
    /// The namespace; none for that of the context.
    pub namespace: Option<String>,
}

/// A client of that cluster, with the credentials of the kubeconfig. Nothing is asked yet.
///
/// # Errors
/// The kubeconfig cannot be used, or its credentials cannot be had.
pub async fn connect(place: &Place) -> Result<Session, AskError> {
    // This fails when a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = config(place).await?;
    // With this retry kube would repeat a request for minutes, and an answer such as 503 would never be seen.
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    let namespace = place.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    // The kubeconfig may name a program for the credentials, and kube waits for it where it stands.
    let client = tokio::task::spawn_blocking(move || Client::try_from(config));
    match tokio::time::timeout(CREDENTIALS_TIMEOUT, client).await {
        Ok(Ok(Ok(client))) => Ok(Session::new(client, server, namespace)),
        Ok(Ok(Err(error))) => Err(AskError::Credentials(one_line(&without_secrets(&error)))),
        Ok(Err(_)) | Err(_) => Err(AskError::Credentials("the program that it names did not answer".to_owned())),
    }
}

async fn config(place: &Place) -> Result<Config, AskError> {
    let options = KubeConfigOptions { context: place.context.clone(), ..KubeConfigOptions::default() };
    match &place.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| of_kubeconfig(&error))?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| of_kubeconfig(&error))
        }
        None => match Config::from_kubeconfig(&options).await {
            Ok(config) => Ok(config),
            // The pod's own cluster is not the one that a person means who has a kubeconfig.
            Err(error) if place.context.is_some() || has_kubeconfig() => Err(of_kubeconfig(&error)),
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
fn of_kubeconfig(error: &KubeconfigError) -> AskError {
    match error {
        KubeconfigError::Parse(_) => AskError::NoCluster("the kubeconfig is no valid YAML of its kind".to_owned()),
        KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath => AskError::NoCluster(one_line(&error.to_string())),
        KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_)
        | KubeconfigError::ParseCertificates(_) => AskError::Credentials(one_line(&error.to_string())),
        error => AskError::Context(one_line(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_that_does_not_parse_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(&path, "users: hidden-token\n").unwrap();
        let error = of_kubeconfig(&Kubeconfig::read_from(&path).unwrap_err()).to_string();
        assert!(!error.contains("hidden-token") && error.contains("KUBECONFIG"), "{error}");
    }

    #[test]
    fn the_pods_own_cluster_is_asked_only_where_no_kubeconfig_is() {
        let home = tempfile::tempdir().unwrap();
        let named = |variable: Option<&str>| names_kubeconfig(variable.map(OsStr::new), Some(home.path()));
        assert_eq!((named(None), named(Some("")), named(Some("/nowhere"))), (false, false, true));
        assert!(!names_kubeconfig(None, None));
        std::fs::create_dir(home.path().join(".kube")).unwrap();
        assert!(!named(None));
        std::fs::write(home.path().join(".kube/config"), "broken: [").unwrap();
        assert!(named(None) && named(Some("")));
    }
}
