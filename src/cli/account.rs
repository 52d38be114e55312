//! The options of every command that lists what an account has, and the way to its client.

use std::path::PathBuf;

use super::cluster::ClusterArgs;
use crate::{
    accounts::{Accounts, ClientDeps, ReadOnlyAccess, Sources},
    clock::Clock,
    config::Config,
    entropy::Entropy,
    kubectl, runtime,
};

/// Where the chart mounts the configuration in the operator's pods.
const MOUNTED: &str = "/etc/rds-backup-operator/config.yaml";

/// Where the account is. The command has its name, as `--account`: `report` may go without.
#[derive(Debug, clap::Args)]
pub(super) struct AccountArgs {
    /// The operator's configuration file: it says where the account and its access key are. On a machine of your own a file with one
    /// account and `credentials: { type: Auto }` will do. [default: the file that the chart mounts]
    #[arg(long, value_name = "FILE", requires = "account")]
    config: Option<PathBuf>,
    /// The region that is listed: one call answers for one region. [default: the account's]
    #[arg(long, value_name = "REGION", requires = "account")]
    region: Option<String>,
    /// Where the Secret with the access key is, if the account has its key in one. [default: $POD_NAMESPACE, or that of the
    /// kubeconfig's context]
    #[arg(long, value_name = "NAMESPACE", requires = "account")]
    operator_namespace: Option<String>,
    /// Only instances with this tag; with more than one, those that have all of them.
    #[arg(long = "tag", value_name = "KEY=VALUE", requires = "account", value_parser = tag)]
    tags: Vec<(String, String)>,
}

/// `key=value`; the value may be empty, and may have an `=` in it.
fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write a tag as key=value".to_owned()),
    }
}

impl AccountArgs {
    /// The tags that the instances must have.
    pub fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// The account, to be read: no request that changes anything can leave through it. The cluster is asked only for a Secret.
    pub async fn open(&self, account: &str, cluster: &ClusterArgs) -> Result<ReadOnlyAccess, String> {
        // This fails when a provider is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = self.config.clone().unwrap_or_else(|| PathBuf::from(MOUNTED));
        let Config { accounts, submissions, .. } = Config::read(&file).map_err(|error| match self.config {
            Some(_) => format!("--config: {error}"),
            None => format!("{error}: name the operator's configuration with --config"),
        })?;
        let needs_cluster = accounts.get(account).is_some_and(|settings| settings.reads_a_secret());
        let namespace = self.operator_namespace.clone().or_else(|| runtime::environment_variable("POD_NAMESPACE"));
        let cluster = match needs_cluster {
            true => Some(kubectl::connect(&cluster.place(namespace)).await.map_err(|error| error.to_string())?),
            false => None,
        };
        let namespace = cluster.as_ref().map(|cluster| cluster.namespace().to_owned()).unwrap_or_default();
        let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::system(), transport: None };
        let client = cluster.map(|cluster| cluster.client());
        let sources = Sources::new(client, &namespace, runtime::environment_variable, deps.clone());
        let accounts = Accounts::new(accounts, submissions, move |settings, tenant| sources.of(settings, tenant), deps);
        accounts.read_only(account, self.region.as_deref()).map_err(|error| error.to_string())
    }
}
