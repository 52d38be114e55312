//! Row 44: two installs of the whole cluster.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::environment::{Environment, condition, seconds};
use super::replicas::{replica, until_it_leads};
use crate::faults::error::FaultsError;
use crate::faults::proxied_operator::Setup;
use crate::world::{NAMESPACE, SECRET, SERVICE_ACCOUNT};

/// The account that each install has. The other one does not know it.
const ACCOUNTS: [&str; 2] = ["first", "second"];
/// Of each account: so many instances, with so many backups each.
const INSTANCES: usize = 3;
const EACH: usize = 2;
/// An install that is not excluded writes within a second.
const BESIDE: Duration = seconds(8);

/// Row 44: two installs with different accounts, in different namespaces, both for the whole cluster. The leader is killed in the middle of
/// its backups and comes back when the second install, which led meanwhile, is gone.
pub(super) async fn two(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let system = env.name("second-system");
    second_namespace(env, &system).await?;
    env.jobs_run_for("first-*", seconds(15));
    env.start_operator_with(of_install(ACCOUNTS[0], NAMESPACE)).await?;
    if !until_it_leads(env, 0).await {
        return Ok(());
    }
    let both = Instant::now();
    env.start_operator_with(Setup { stands_by_for_another_install: true, ..of_install(ACCOUNTS[1], &system) }).await?;
    for account in ACCOUNTS {
        backups(env, account).await?;
    }
    if !env.until_accepted(1, seconds(60)).await {
        return Ok(());
    }
    let contradictions = contradictions_for(env, BESIDE).await;
    env.expect(contradictions == 0, format!("{contradictions} statuses were not those of the install that led first"));
    let readyz = env.operators[1].process.get("/readyz").await?;
    let said = readyz.status == 503 && readyz.body.contains(&format!("the install {NAMESPACE} holds the lease"));
    env.expect(said, format!("the second install says {} {}", readyz.status, readyz.body.trim()));
    let (killed, at) = (Instant::now(), accepted_of_the_first(env));
    let changes = env.operators[1].changes_since(both);
    env.first_operator().process.kill_9().await?;
    env.outcome.faults += 1;
    env.expect(changes.is_empty(), format!("the second install asked for {} changes beside the first", changes.len()));
    env.expect(at < INSTANCES * EACH, "all backups of the first install were accepted: it was not killed in the middle");

    if !until_it_leads(env, 1).await {
        return Ok(());
    }
    let led = killed.elapsed().as_secs_f64();
    env.until("at their ends: second", seconds(90), |objects| {
        of_account(objects, "second").all(|object| object["status"]["phase"] == "Succeeded")
    })
    .await;
    let ready = env.operators[1].is_ready().await;
    env.expect(ready, "the second install leads and is not ready");
    env.operators[1].process.stop().await?;
    env.operators[0].restart(&env.world)?;
    until_it_leads(env, 0).await;
    env.until_ended(seconds(120)).await;
    let (all, of) = (env.accepted(), ACCOUNTS.len() * INSTANCES * EACH);
    env.note(format!(
        "killed at {at} of its own accepted; until then {} changes by the second install and {contradictions} contradictions; it led after {led:.1} s; \
         {all} accepted of {of}",
        changes.len()
    ));
    Ok(())
}

fn accepted_of_the_first(env: &Environment<'_>) -> usize {
    let of_first = |instance: &str| (0..INSTANCES).any(|number| instance == env.instance(&format!("first-{number}")));
    env.world.rds.ledger().iter().filter(|entry| of_first(&entry.instance)).count()
}

fn of_install(account: &str, namespace: &str) -> Setup {
    Setup {
        everywhere: true,
        changes: vec![("  default:\n".to_owned(), format!("  {account}:\n"))],
        env: vec![("POD_NAMESPACE".to_owned(), namespace.to_owned())],
        ..replica()
    }
}

/// The namespace of the second install, with its Secret. It may have a lease there as well, and must not lead by it.
async fn second_namespace(env: &Environment<'_>, system: &str) -> Result<(), FaultsError> {
    let kubectl = env.kubectl();
    let secret = kubectl.json(&["get", "secret", SECRET, "--namespace", NAMESPACE]).await?;
    let metadata = |name: &str| json!({ "name": name, "namespace": system });
    let rbac = "rbac.authorization.k8s.io";
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": system } },
        { "apiVersion": "v1", "kind": "Secret", "metadata": metadata(SECRET), "data": secret["data"] },
        {
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata("own"),
            "rules": [
                { "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] },
                { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"] },
            ],
        },
        {
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata("own"),
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "own" },
            "subjects": [{ "kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE }],
        },
    ] });
    kubectl.run_with_input(&["create", "--filename=-"], &list.to_string()).await?;
    Ok(())
}

/// Creates the backups of an account.
async fn backups(env: &mut Environment<'_>, account: &str) -> Result<(), FaultsError> {
    let mut items = Vec::new();
    for number in 0..INSTANCES {
        let instance = env.instance(&format!("{account}-{number}"));
        env.asked(&instance, EACH..=EACH);
        items.extend((0..EACH).map(|one| {
            json!({
                "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
                "metadata": { "name": format!("{account}-{number}-{one}"), "namespace": env.outcome.namespace },
                "spec": { "dbInstanceId": instance, "method": "Physical", "account": account },
            })
        }));
    }
    env.expect_more(items.len());
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    env.kubectl().run_with_input(&["create", "--filename=-"], &list).await?;
    Ok(())
}

/// How many statuses, looked at for so long, cannot be the first install's: it knows its own account, and not the second's.
async fn contradictions_for(env: &Environment<'_>, time: Duration) -> usize {
    let (began, mut found) = (Instant::now(), 0);
    while began.elapsed() < time {
        let objects = env.objects().await.unwrap_or_default();
        let unknown = |object: &&Value| condition(object, "Ready")["reason"] == "AccountNotFound";
        let said = |object: &&Value| !condition(object, "Ready").is_null();
        found += of_account(&objects, "first").filter(unknown).count();
        found += of_account(&objects, "second").filter(said).filter(|object| !unknown(object)).count();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    found
}

fn of_account<'a>(objects: &'a [Value], account: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["spec"]["account"] == account)
}
