//! The chart's values. The doc comments are what its README says.

#![expect(dead_code, reason = "they are there for their shape")]

use std::collections::BTreeMap;

use rds_backup_operator::accounts::AccountSettings;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Text by text, as labels and annotations are.
type Texts = BTreeMap<String, String>;
/// A piece of a Pod's specification: the API server knows what may be in it.
type Free = Map<String, Value>;

/// The values of the chart rds-backup-operator.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Values {
    /// Values that a parent chart shares with its subcharts.
    pub global: Global,
    /// Instead of the chart's name in the names of objects.
    pub name_override: String,
    /// The name of all objects, instead of one made of release and chart.
    pub fullname_override: String,
    /// Labels of every object.
    pub common_labels: Texts,
    /// Annotations of every object.
    pub common_annotations: Texts,
    /// The accounts that objects can name, as docs/reference/configuration.md describes them. At least one. Access keys are not written
    /// here: an account names a Secret in the release's namespace, and the operator may read those Secrets and no others.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// `Paused`: what runs is followed, and nothing new is sent, for all accounts.
    pub submissions: Submissions,
    /// `cluster`: the operator works on the objects of every namespace, with a ClusterRole. `namespaces`: only on those in `namespaces`,
    /// with a Role in each.
    pub scope: Scope,
    /// The namespaces, for `scope: namespaces`. They must exist.
    #[schemars(inner(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")))]
    pub namespaces: Vec<String>,
    /// The CustomResourceDefinitions.
    pub crds: Crds,
    /// The operator's image.
    pub image: Image,
    /// Secrets for pulling it, each `{ name: NAME }`.
    pub image_pull_secrets: Vec<Free>,
    /// How many replicas. One works, the others stand by.
    #[schemars(range(min = 1, max = 10))]
    pub replica_count: u8,
    /// How many old ReplicaSets are kept for `kubectl rollout undo`.
    #[schemars(range(min = 0))]
    pub revision_history_limit: u16,
    /// How long a replica may take to end. It needs up to 20 s to finish what is under way, and gives the lease back.
    #[schemars(range(min = 25))]
    pub termination_grace_period_seconds: u16,
    /// How log lines look.
    pub log_format: LogFormat,
    /// A PodDisruptionBudget, with two or more replicas.
    pub pod_disruption_budget: PodDisruptionBudget,
    /// The operator's ServiceAccount.
    pub service_account: ServiceAccount,
    /// Roles and bindings.
    pub rbac: Rbac,
    /// The pods' securityContext. As it is, it meets Pod Security `restricted`.
    pub pod_security_context: Free,
    /// The container's securityContext. As it is, it meets Pod Security `restricted`.
    pub security_context: Free,
    /// The container's resources.
    pub resources: Free,
    /// Times of the liveness probe.
    pub liveness_probe: Probe,
    /// Times of the readiness probe.
    pub readiness_probe: Probe,
    /// How metrics are reached.
    pub metrics: Metrics,
    /// A NetworkPolicy: in, port 8080; out, names, the API server (443, 6443) and https.
    pub network_policy: NetworkPolicy,
    /// More labels of the pods.
    pub pod_labels: Texts,
    /// More annotations of the pods.
    pub pod_annotations: Texts,
    /// The pods' nodeSelector.
    pub node_selector: Texts,
    /// The pods' affinity. Without one, replicas prefer different nodes.
    pub affinity: Free,
    /// The pods' tolerations.
    pub tolerations: Vec<Free>,
    /// The pods' topologySpreadConstraints.
    pub topology_spread_constraints: Vec<Free>,
    /// The pods' priorityClassName.
    pub priority_class_name: String,
    /// The pods' runtimeClassName.
    pub runtime_class_name: String,
    /// More arguments of `rds-backup-operator run`.
    pub extra_args: Vec<String>,
    /// More environment variables: the access key of an account with `credentials: { type: Auto }` from a Secret, or `RUST_LOG`.
    pub extra_env: Vec<Free>,
    /// More volumes.
    pub extra_volumes: Vec<Free>,
    /// More volumeMounts of the container.
    pub extra_volume_mounts: Vec<Free>,
    /// More objects of the release; text in them is a template.
    pub extra_objects: Vec<ExtraObject>,
}

/// `global`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Global {
    /// The registry of all images, for mirrors; goes before `image.registry`.
    pub image_registry: String,
}

/// `submissions`
#[derive(Deserialize, JsonSchema)]
pub enum Submissions {
    Enabled,
    Paused,
}

/// `scope`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Cluster,
    Namespaces,
}

/// `crds`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crds {
    /// Whether they are part of the release, and so upgraded with it.
    pub install: bool,
    /// Whether they, and with them every RdsBackup, stay when the release is uninstalled.
    pub keep: bool,
    /// Annotations of them, for example `argocd.argoproj.io/sync-options: Prune=false`.
    pub annotations: Texts,
}

/// `image`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Its registry.
    pub registry: String,
    /// Its repository.
    #[schemars(length(min = 1))]
    pub repository: String,
    /// Its tag; the chart's appVersion if empty.
    pub tag: String,
    /// Its digest, which goes before the tag.
    #[schemars(regex(pattern = r"^(sha256:[0-9a-f]{64})?$"))]
    pub digest: String,
    /// When it is pulled.
    pub pull_policy: PullPolicy,
}

/// `image.pullPolicy`
#[derive(Deserialize, JsonSchema)]
pub enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// `logFormat`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

/// `podDisruptionBudget`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodDisruptionBudget {
    /// Whether there is one.
    pub enabled: bool,
    /// How many replicas may be away for a node's maintenance; fewer than `replicaCount`.
    #[schemars(range(min = 0))]
    pub max_unavailable: u8,
}

/// `serviceAccount`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Whether it is created.
    pub create: bool,
    /// Its name; the release's if empty.
    pub name: String,
    /// Its annotations, for example `pod-identity.alibabacloud.com/role-name`, which RRSA's webhook reads.
    pub annotations: Texts,
}

/// `rbac`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rbac {
    /// Whether roles and bindings are created.
    pub create: bool,
    /// Whether whoever may `view` a namespace may see its backups and schedules.
    pub aggregate_to_view: bool,
    /// Whether whoever may `edit` or `admin` a namespace may create, change and delete its backups and schedules.
    pub aggregate_to_edit: bool,
}

/// `livenessProbe`, `readinessProbe`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// Between two probes.
    #[schemars(range(min = 1))]
    pub period_seconds: u16,
    /// For one probe.
    #[schemars(range(min = 1))]
    pub timeout_seconds: u16,
    /// So many failures in a row count.
    #[schemars(range(min = 1))]
    pub failure_threshold: u16,
}

/// `metrics`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metrics {
    /// A Service for them.
    pub service: MetricsService,
    /// A ServiceMonitor of the Prometheus Operator.
    pub service_monitor: ServiceMonitor,
}

/// `metrics.service`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsService {
    /// Whether there is one.
    pub enabled: bool,
    /// Its port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Its annotations.
    pub annotations: Texts,
}

/// `metrics.serviceMonitor`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceMonitor {
    /// Whether there is one.
    pub enabled: bool,
    /// What is done where the cluster does not know the kind: leave it out, refuse to install, or render it all the same (for `helm
    /// template`).
    pub render_mode: RenderMode,
    /// Between two scrapes.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h)$"))]
    pub interval: String,
    /// Labels that a Prometheus selects by.
    pub labels: Texts,
}

/// `metrics.serviceMonitor.renderMode`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RenderMode {
    SkipIfMissing,
    FailIfMissing,
    AlwaysRender,
}

/// `networkPolicy`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkPolicy {
    /// Whether there is one.
    pub enabled: bool,
    /// Who may reach port 8080, as peers of a NetworkPolicy; everybody if empty. Kubelets need no entry.
    pub ingress_from: Vec<Free>,
    /// More egress rules, for example to an API server on another port.
    pub extra_egress: Vec<Free>,
}

/// `extraObjects`
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExtraObject {
    Text(String),
    Object(Free),
}
