//! The chart's values. The doc comments become the table in its README.

#![expect(dead_code, reason = "only their schema is used")]

use std::collections::BTreeMap;

use rds_backup_operator::{accounts::AccountSettings, metrics::PerSchedule};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::monitoring::{Dashboards, Monitor, PrometheusRule};

/// Labels or annotations.
type Texts = BTreeMap<String, String>;
/// A part of a Pod's specification. The API server validates it.
type Free = Map<String, Value>;

/// The values of the chart rds-backup-operator.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Values {
    /// Values that a parent chart shares with its subcharts.
    pub global: Global,
    /// Replaces the chart's name in the names of objects.
    pub name_override: String,
    /// Not read by this chart: for the `condition` of a chart that has it as a dependency.
    pub enabled: bool,
    /// The name of all objects. Default: made of the names of release and chart.
    pub fullname_override: String,
    /// Labels of every object.
    pub common_labels: Texts,
    /// Annotations of every object.
    pub common_annotations: Texts,
    /// The accounts that objects can name, as docs/reference/configuration.md describes them. At least one. Access keys are not written
    /// here: an account names a Secret in the release's namespace, and the operator may read those Secrets and no others.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// `Paused`: for all accounts, the operator follows running backups and sends nothing new.
    pub submissions: Submissions,
    /// `cluster`: the operator works on the objects of every namespace, with a ClusterRole. `namespaces`: only on those in `namespaces`,
    /// with a Role in each.
    pub scope: Scope,
    /// The namespaces, for `scope: namespaces`. They must exist. One that is deleted later holds up no other.
    #[schemars(inner(regex(pattern = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")))]
    pub namespaces: Vec<String>,
    /// The lease, which one replica holds and works.
    pub leader_election: LeaderElection,
    /// The CustomResourceDefinitions.
    pub crds: Crds,
    /// The operator's image.
    pub image: Image,
    /// Secrets for pulling the image, each `{ name: NAME }`.
    pub image_pull_secrets: Vec<Free>,
    /// The number of replicas. One works, the other replicas stand by.
    #[schemars(range(min = 1, max = 10))]
    pub replica_count: u8,
    /// The number of old ReplicaSets that are kept for `kubectl rollout undo`.
    #[schemars(range(min = 0))]
    pub revision_history_limit: u16,
    /// How many seconds a replica may take to end. It needs up to 20 s to finish the work under way, and then releases the lease.
    #[schemars(range(min = 25))]
    pub termination_grace_period_seconds: u16,
    /// The address on which `/healthz`, `/readyz` and `/metrics` are served, at port 8080. `[::]` is every address, of IPv6 and IPv4; on a
    /// node without IPv6 it is every address of IPv4.
    #[schemars(regex(pattern = r"^([0-9.]+|\[[0-9a-fA-F:.]+\])$"))]
    pub health_address: String,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// A PodDisruptionBudget, with two or more replicas.
    pub pod_disruption_budget: PodDisruptionBudget,
    /// The operator's ServiceAccount.
    pub service_account: ServiceAccount,
    /// RAM Roles for Service Accounts, for accounts with `credentials: { type: RRSA }`.
    pub rrsa: Rrsa,
    /// A ValidatingAdmissionPolicy for each kind, which the API server applies when an object is created or changed:
    /// docs/guides/admission-policy.md.
    pub admission_policy: AdmissionPolicy,
    /// Roles and bindings.
    pub rbac: Rbac,
    /// The pods' securityContext. The default meets Pod Security `restricted`.
    pub pod_security_context: Free,
    /// The container's securityContext. The default meets Pod Security `restricted`.
    pub security_context: Free,
    /// The container's resources.
    pub resources: Free,
    /// Times of the liveness probe.
    pub liveness_probe: Probe,
    /// Times of the readiness probe.
    pub readiness_probe: Probe,
    /// What `/metrics` has, and the objects that expose it.
    pub metrics: Metrics,
    /// A NetworkPolicy. Ingress: port 8080. Egress: DNS, the API server (443, 6443) and https.
    pub network_policy: NetworkPolicy,
    /// More labels of the pods.
    pub pod_labels: Texts,
    /// More annotations of the pods.
    pub pod_annotations: Texts,
    /// The pods' nodeSelector.
    pub node_selector: Texts,
    /// The pods' affinity. If it is empty, replicas prefer different nodes.
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
    /// More objects of the release; Helm renders text in them as templates.
    pub extra_objects: Vec<ExtraObject>,
}

/// `global`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Global {
    /// The registry of all images, for mirrors; overrides `image.registry`.
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

/// `leaderElection`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaderElection {
    /// The namespace of the lease. If it is empty, `kube-system`, where all releases with `scope: cluster` find it, so that one of them
    /// works; with `scope: namespaces` the release's own. Where `kube-system` is closed, give every release of the cluster the same one.
    #[schemars(regex(pattern = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"))]
    pub namespace: String,
}

/// `admissionPolicy`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmissionPolicy {
    /// Whether the chart creates it.
    pub enabled: bool,
    /// What becomes of an object that it does not allow. `Warn` and `Audit` let it pass: to try the policy.
    #[schemars(length(min = 1, max = 2))]
    pub actions: Vec<AdmissionAction>,
    /// Which accounts each namespace may name. A namespace that no rule is for may name none; without rules, all may name all. The
    /// accounts' own `allow` is checked besides.
    pub rules: Vec<AdmissionRule>,
    /// The least time between two runs of a schedule, for example `1h`: 1m to 59m, or 1h to 24h. Days are not looked at. If it is empty,
    /// none is asked for.
    #[schemars(regex(pattern = r"^(([1-9]|[1-5][0-9])m|([1-9]|1[0-9]|2[0-4])h)?$"))]
    pub min_schedule_interval: String,
}

/// `admissionPolicy.actions`
#[derive(Deserialize, JsonSchema)]
pub enum AdmissionAction {
    Deny,
    Warn,
    Audit,
}

/// `admissionPolicy.rules`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdmissionRule {
    /// The namespaces that it is for; `*` at the end stands for any ending.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^([a-z0-9][-a-z0-9]*)?[*]?$"), length(min = 1)))]
    pub namespaces: Vec<String>,
    /// It is for the namespaces with all of these labels too.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z0-9._/-]+$" }, "additionalProperties" = { "type": "string", "pattern": "^[A-Za-z0-9._-]*$" }))]
    pub namespace_labels: Texts,
    /// The accounts that they may name; `*` at the end stands for any ending.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[A-Za-z0-9._-]*[*]?$"), length(min = 1)))]
    pub accounts: Vec<String>,
}

/// `crds`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crds {
    /// Whether the CRDs are part of the release, and so upgraded with it.
    pub install: bool,
    /// Whether the CRDs, and with them every RdsBackup, stay when the release is uninstalled.
    pub keep: bool,
    /// Annotations of the CRDs, for example `argocd.argoproj.io/sync-options: Prune=false`.
    pub annotations: Texts,
}

/// `image`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The image's registry.
    pub registry: String,
    /// The image's repository.
    #[schemars(length(min = 1))]
    pub repository: String,
    /// The image's tag; the chart's appVersion if empty.
    pub tag: String,
    /// The image's digest. It overrides the tag.
    #[schemars(regex(pattern = r"^(sha256:[0-9a-f]{64})?$"))]
    pub digest: String,
    /// When the image is pulled.
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
    /// Whether the chart creates the PodDisruptionBudget.
    pub enabled: bool,
    /// The number of replicas that may be down for a node's maintenance; less than `replicaCount`.
    #[schemars(range(min = 0))]
    pub max_unavailable: u8,
}

/// `serviceAccount`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Whether the ServiceAccount is created.
    pub create: bool,
    /// The name of the ServiceAccount; the release's name if empty.
    pub name: String,
    /// Annotations of the ServiceAccount, for example `pod-identity.alibabacloud.com/role-name`, which RRSA's webhook reads.
    pub annotations: Texts,
}

/// `rrsa`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rrsa {
    /// Whether the operator's pods get a token for a RAM role.
    pub enabled: bool,
    /// The name of the RAM role, for ACK's webhook ack-pod-identity-webhook: the chart sets the annotation and the label that it reads.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{0,64}$"))]
    pub role_name: String,
    /// For a cluster without the webhook: the chart mounts the token and sets the variables itself.
    pub manual: ManualRrsa,
}

/// `rrsa.manual`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManualRrsa {
    /// The ARN of the RAM role.
    #[schemars(regex(pattern = r"^(acs:ram::[0-9]+:role/[A-Za-z0-9._-]+)?$"))]
    pub role_arn: String,
    /// The ARN of the cluster's OIDC provider.
    #[schemars(regex(pattern = r"^(acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9._-]+)?$"))]
    pub oidc_provider_arn: String,
}

/// `rbac`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rbac {
    /// Whether roles and bindings are created.
    pub create: bool,
    /// Whether an operator with `scope: namespaces` may list the RdsBackups of the whole cluster, and nothing else there. With it,
    /// operators see each other's requests for the same instance. Without it, no instance may be in the allow-lists of two operators.
    pub cluster_wide_claims: bool,
    /// Whether users who may `view` a namespace may read its backups and schedules.
    pub aggregate_to_view: bool,
    /// Whether users who may `edit` or `admin` a namespace may create, change and delete its backups and schedules.
    pub aggregate_to_edit: bool,
}

/// `livenessProbe`, `readinessProbe`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// Seconds between two probes.
    #[schemars(range(min = 1))]
    pub period_seconds: u16,
    /// Seconds for one probe.
    #[schemars(range(min = 1))]
    pub timeout_seconds: u16,
    /// The number of failures in a row that counts as a failure.
    #[schemars(range(min = 1))]
    pub failure_threshold: u16,
}

/// `metrics`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metrics {
    /// The series that each RdsBackupSchedule has of its own: about 17 for `All`, 8 for `Freshness`, which docs/reference/metrics.md names.
    pub per_schedule: PerSchedule,
    /// Whether `rdsbackup_schedule_info` has the label `db_instance_id`. No other series has it.
    pub instance_ids: bool,
    /// A Service for metrics.
    pub service: MetricsService,
    /// A ServiceMonitor of the Prometheus Operator.
    pub service_monitor: Monitor,
    /// A PodMonitor of the Prometheus Operator, instead of the ServiceMonitor.
    pub pod_monitor: Monitor,
    /// A PrometheusRule of the Prometheus Operator.
    pub prometheus_rule: PrometheusRule,
    /// Dashboards for Grafana.
    pub dashboards: Dashboards,
}

/// `metrics.service`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsService {
    /// Whether the chart creates the Service.
    pub enabled: bool,
    /// The Service's port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Annotations of the Service.
    pub annotations: Texts,
}

/// `networkPolicy`
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkPolicy {
    /// Whether the chart creates the NetworkPolicy.
    pub enabled: bool,
    /// The peers that may reach port 8080, as in a NetworkPolicy; if empty, every peer may. Kubelets need no entry.
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
