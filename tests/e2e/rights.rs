//! What the operator may do, as the chart grants it: in `namespaces` scope, a Role in each site's namespace; or over the whole cluster.

use std::{collections::BTreeSet, path::Path};

use rds_backup_sandbox::{
    plane::{
        Kubectl, Tool,
        audit::{self, AuditEvent},
    },
    world::{NAMESPACE, SERVICE_ACCOUNT, World},
};
use serde_json::Value;

use crate::setup::{helms, repository, setting};

/// The chart's `scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Cluster,
    Namespaces,
}

/// `E2E_SCOPE=cluster` has the whole suite run with a ClusterRole; it runs with a Role for each namespace otherwise. Whatever the suite's, both
/// are judged: `everywhere` brings a world of its own.
pub fn scope() -> Scope {
    match setting("E2E_SCOPE").as_deref() {
        None | Some("namespaces") => Scope::Namespaces,
        Some("cluster") => Scope::Cluster,
        Some(other) => panic!("E2E_SCOPE={other}: it is cluster or namespaces"),
    }
}

/// The chart's roles and bindings for these namespaces.
async fn rendered(home: &Path, namespaces: &str, more: &[&str]) -> String {
    let helm = Tool::without_plane("helm", &helms().await.v4, home);
    let chart = repository().join("charts/rds-backup-operator").display().to_string();
    let values = repository().join("deploy/install/values.yaml").display().to_string();
    let namespaces = format!("namespaces={{{namespaces}}}");
    let mut args = vec![
        "template",
        SERVICE_ACCOUNT,
        &chart,
        "--namespace",
        NAMESPACE,
        "--values",
        &values,
        "--set=scope=namespaces",
        "--set",
        &namespaces,
        "--show-only=templates/rbac.yaml",
    ];
    args.extend(more);
    helm.run(&args).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Where the lease of an operator of the whole cluster is.
const CLUSTER_LEASES: &str = "kube-system";

/// Where the chart's Role for the lease is, in this scope.
pub fn lease_namespace() -> &'static str {
    match scope() {
        Scope::Cluster => CLUSTER_LEASES,
        Scope::Namespaces => NAMESPACE,
    }
}

/// With rights over the whole cluster: those on the lease of a site, whose operator watches one namespace, and which has another name than
/// the chart's Role says.
pub async fn grant_lease(world: &World, namespace: &str) {
    let name = format!("lease-of-{namespace}");
    let role = ["create", "role", &name, "-n", CLUSTER_LEASES, "--verb=get,update", "--resource=leases.coordination.k8s.io"];
    let subject = format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}");
    let binding = ["create", "rolebinding", &name, "-n", CLUSTER_LEASES, &format!("--role={name}"), &subject];
    for args in [&role[..], &binding[..]] {
        world.kubectl().run(args).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Takes the rights over the whole cluster away, which a world comes with.
pub async fn narrow(world: &World) {
    let lease = lease_role();
    for role in
        [&["delete", "clusterrolebinding,clusterrole", SERVICE_ACCOUNT][..], &["delete", "rolebinding,role", &lease, "-n", CLUSTER_LEASES]]
    {
        world.kubectl().run(role).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Gives the operator its rights in a namespace.
pub async fn grant(world: &World, namespace: &str) {
    grant_with(world, namespace, &[]).await;
}

/// Gives the operator its rights in these namespaces, with further values of the chart.
pub async fn grant_with(world: &World, namespaces: &str, values: &[&str]) {
    let home = world.dir().join("home");
    let roles = rendered(&home, namespaces, values).await;
    // The sites share the chart's Role for the lease, whose name is that of the site that was granted its rights last: each has a role for its own
    // lease.
    let (own, lease) = (format!("lease-of-{}", namespaces.replace(',', "-")), lease_in(&roles));
    let role = [
        "create",
        "role",
        &own,
        "-n",
        NAMESPACE,
        "--verb=get,update",
        "--resource=leases.coordination.k8s.io",
        &format!("--resource-name={lease}"),
    ];
    let subject = format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}");
    let binding = ["create", "rolebinding", &own, "-n", NAMESPACE, &format!("--role={own}"), &subject];
    for args in [&role[..], &binding[..]] {
        world.kubectl().run(args).await.unwrap_or_else(|error| panic!("{error}"));
    }
    world.kubectl().run_with_input(&["apply", "--server-side", "-f", "-"], &roles).await.unwrap_or_else(|error| panic!("{error}"));
    // So it is with the ClusterRole, which names the namespaces that may be read.
    let own = role_for_namespaces(namespaces);
    let names: Vec<String> = namespaces.split(',').map(|name| format!("--resource-name={name}")).collect();
    let mut role = vec!["create", "clusterrole", &own, "--verb=get", "--resource=namespaces"];
    role.extend(names.iter().map(String::as_str));
    let binding = ["create", "clusterrolebinding", &own, &format!("--clusterrole={own}"), &subject];
    for args in [&role[..], &binding[..]] {
        world.kubectl().run(args).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The right of a site to read its Namespaces.
fn role_for_namespaces(namespaces: &str) -> String {
    format!("namespaces-of-{}", namespaces.replace(',', "-"))
}

/// The name of the lease in the chart's Role.
fn lease_in(roles: &str) -> String {
    let from = roles.find(&format!("[{SERVICE_ACCOUNT}-")).expect("a lease with a hash of its namespaces");
    roles[from + 1..].split(']').next().unwrap_or_default().to_owned()
}

/// Gives another ServiceAccount of the operator's namespace the same rights as the operator's.
pub async fn grant_as_well(kubectl: &Kubectl, account: &str, namespace: &str) {
    let subject = format!("--serviceaccount={NAMESPACE}:{account}");
    let run = |args: Vec<String>| async move {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        kubectl.run(&args).await.unwrap_or_else(|error| panic!("{error}"));
    };
    let binding = |kind: &str, role: &str, more: &[&str]| {
        let args = ["create", kind, account, role, &subject];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect::<Vec<_>>()
    };
    let own = format!("--role={SERVICE_ACCOUNT}");
    run(binding("rolebinding", &own, &["-n", NAMESPACE])).await;
    for role in [lease_role(), format!("lease-of-{namespace}")] {
        let binding = ["create", "rolebinding", &format!("{account}-{role}"), &format!("--role={role}"), &subject, "-n", lease_namespace()];
        run(binding.map(str::to_owned).to_vec()).await;
    }
    match scope() {
        Scope::Cluster => {
            run(binding("clusterrolebinding", &format!("--clusterrole={SERVICE_ACCOUNT}"), &[])).await;
        }
        Scope::Namespaces => {
            run(binding("clusterrolebinding", &format!("--clusterrole={}", scope_role()), &[])).await;
            let reads = role_for_namespaces(namespace);
            let (name, role) = (format!("{account}-{reads}"), format!("--clusterrole={reads}"));
            run(["create", "clusterrolebinding", &name, &role, &subject].map(str::to_owned).to_vec()).await;
            run(binding("rolebinding", &format!("--role={SERVICE_ACCOUNT}-objects"), &["-n", namespace])).await;
        }
    }
}

/// The ClusterRole of an operator of some namespaces.
fn scope_role() -> String {
    format!("{NAMESPACE}-{SERVICE_ACCOUNT}-scope")
}

/// The Role for the lease.
fn lease_role() -> String {
    format!("{NAMESPACE}-{SERVICE_ACCOUNT}-lease")
}

/// One thing that is done or may be done: group, resource with subresource, verb, and namespaces.
pub type Right = (String, String, String, Namespaces);

/// The namespaces that a request was about, or that a role holds in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespaces {
    /// The operator's own.
    Operator,
    /// That of the lease of an operator of the whole cluster.
    Lease,
    /// Those of objects.
    Objects,
}

impl Namespaces {
    fn of(namespace: &str) -> Self {
        match namespace {
            NAMESPACE => Self::Operator,
            CLUSTER_LEASES => Self::Lease,
            _ => Self::Objects,
        }
    }
}

/// A request of which nothing is known but that it may have been made.
pub fn unknown(why: &str) -> Right {
    (String::new(), format!("unknown: {why}"), String::new(), Namespaces::Objects)
}

/// What the operator's users asked for, allowed or not.
pub fn asked(log: &[AuditEvent]) -> BTreeSet<Right> {
    let ours = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    // The ServiceAccounts of `Site::account`, which have the same rights.
    let like_ours =
        |user: &str| user == ours || user.starts_with("system:serviceaccount:rds-backup-system:site-") && user.contains("-with-");
    log.iter()
        .filter(|event| like_ours(&event.user))
        .map(|event| {
            if event.resource.is_empty() {
                // No resource at all (`/version`): nothing that the chart grants.
                return (
                    String::new(),
                    event.uri.split('?').next().unwrap_or_default().to_owned(),
                    event.verb.clone(),
                    Namespaces::Objects,
                );
            }
            let namespaces = Namespaces::of(&event.namespace);
            let resource =
                if event.subresource.is_empty() { event.resource.clone() } else { format!("{}/{}", event.resource, event.subresource) };
            (event.group.clone(), resource, event.verb.clone(), namespaces)
        })
        .collect()
}

/// What roles grant. Lists of names do not narrow it: who may read which Secret is judged by itself.
pub fn granted(roles: &[(Value, Namespaces)]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for (role, namespaces) in roles {
        for rule in list(&role["rules"]) {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        rights.insert((group.clone(), resource.clone(), verb, *namespaces));
                    }
                }
            }
        }
    }
    rights
}

/// The roles that are bound to the operator's ServiceAccount, read from the API server, with the namespaces that they hold in.
pub async fn roles(kubectl: &Kubectl) -> Vec<(Value, Namespaces)> {
    let mut roles = Vec::new();
    for kind in ["clusterrolebindings", "rolebindings"] {
        let bindings = kubectl.json(&["get", kind, "--all-namespaces"]).await.unwrap_or_else(|error| panic!("{error}"));
        for binding in list(&bindings["items"]) {
            let subject = |subject: &Value| {
                subject["kind"] == "ServiceAccount" && subject["name"] == SERVICE_ACCOUNT && subject["namespace"] == NAMESPACE
            };
            let role = &binding["roleRef"];
            // Roles that a test made for a Secret of its own are not the chart's.
            let charts = [SERVICE_ACCOUNT.to_owned(), format!("{SERVICE_ACCOUNT}-objects"), scope_role(), lease_role()];
            let chart = role["name"].as_str().is_some_and(|name| charts.iter().any(|chart| chart == name));
            if !list(&binding["subjects"]).iter().any(subject) || !chart {
                continue;
            }
            let (kind, name) = (role["kind"].as_str().unwrap_or_default(), role["name"].as_str().unwrap_or_default());
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("default");
            let role = kubectl.json(&["get", kind, name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
            roles.push((role, Namespaces::of(namespace)));
        }
    }
    roles
}

/// Both ways, in words.
pub fn compare(asked: &BTreeSet<Right>, granted: &BTreeSet<Right>) -> Vec<String> {
    let lacking = asked.difference(granted).map(|right| format!("asked for and not granted: {right:?}"));
    let idle = granted.difference(asked).map(|right| format!("granted and never asked for: {right:?}"));
    lacking.chain(idle).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    list(value).iter().filter_map(Value::as_str).map(str::to_owned)
}
