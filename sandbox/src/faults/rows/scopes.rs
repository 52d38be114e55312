//! Row 45: an operator of two namespaces, one of which is deleted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::faults::proxied_operator::Setup;
use crate::world::{NAMESPACE, SERVICE_ACCOUNT};

/// Instances of the namespace that stays, each with a backup before the deletion, one after it and one after a restart.
const INSTANCES: usize = 3;
/// A slot a minute, its backup, and a busy machine.
const ONE_SLOT: Duration = seconds(120);
/// The role that sees whether the namespaces exist.
const SCOPE: &str = "scope-of-the-row";

/// Row 45: an operator with rights in two namespaces and none over the cluster. One namespace is deleted while backups of the other run and
/// its schedule is due; then the operator is started again. Nothing of the other namespace is held up.
pub(super) async fn namespace_gone(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let (stays, goes) = (env.outcome.namespace.clone(), env.name("goes"));
    env.kubectl().run(&["create", "namespace", &goes]).await?;
    only_in(env, &[&stays, &goes]).await?;
    env.jobs_run_for("before-*", seconds(15));
    env.start_operator_with(Setup { also_watches: vec![goes.clone()], ..Setup::default() }).await?;

    schedule(env, "due").await?;
    env.backups("before", INSTANCES, 1).await?;
    // One that waits behind a backup of the namespace that stays, and one that runs when its namespace goes.
    let (behind, alone) = (env.instance("before-0"), env.instance("alone"));
    env.until("running: before", seconds(60), |objects| of_prefix(objects, "before-").all(|object| object["status"]["phase"] == "Running"))
        .await;
    for (name, instance) in [("behind", &behind), ("alone", &alone)] {
        create_in(env, &goes, "RdsBackup", name, json!({ "dbInstanceId": instance, "method": "Physical" })).await?;
    }
    if !accepted(env, &alone, seconds(60)).await {
        return Ok(());
    }
    env.kubectl().run(&["delete", "namespace", &goes, "--timeout=60s"]).await?;
    env.outcome.faults += 1;
    let deleted = Instant::now();
    env.backups("after", INSTANCES, 1).await?;
    succeeded(env, "after", seconds(60)).await;
    let took = deleted.elapsed().as_secs_f64();
    next_slot(env, "due").await?;
    succeeded(env, "before", seconds(60)).await;
    env.expect_still_running()?;

    env.first_operator().process.stop().await?;
    env.operators[0].restart(&env.world)?;
    let ready = env.operators[0].process.wait_ready(seconds(60)).await;
    env.expect(ready.is_ok(), "the operator is not ready after a restart without the namespace");
    let verbose = env.operators[0].process.get("/readyz?verbose").await?.body;
    env.expect(verbose.contains(&format!("namespace {goes}: ")), format!("/readyz does not name the namespace that is gone: {verbose}"));
    env.backups("restarted", INSTANCES, 1).await?;
    succeeded(env, "restarted", seconds(60)).await;
    next_slot(env, "due").await?;

    let suspend = ["patch", "rdsbackupschedule", "due", "--namespace", &stays, "--type=merge", "--patch", r#"{"spec":{"suspend":true}}"#];
    env.kubectl().run(&suspend).await?;
    env.until("at the ends of all backups", seconds(60), |objects| {
        let mut backups = objects.iter().filter(|object| object["kind"] == "RdsBackup");
        backups.all(|object| object["status"]["phase"] == "Succeeded")
    })
    .await;
    // Its backups stay, and are judged like the others.
    env.kubectl().run(&["delete", "rdsbackupschedule", "due", "--namespace", &stays, "--cascade=orphan"]).await?;
    let slots = of_prefix(&env.objects().await?, "due-").count();
    env.expect_more(slots);
    env.note(format!("{INSTANCES} backups succeeded {took:.1} s after the namespace was gone; the schedule made {slots}"));
    Ok(())
}

/// Takes the operator's rights over the cluster away and grants them in these namespaces alone, and the right to see whether one still exists, as
/// the chart does for some namespaces.
async fn only_in(env: &Environment<'_>, namespaces: &[&str]) -> Result<(), FaultsError> {
    let (role, subject) = (format!("--clusterrole={SERVICE_ACCOUNT}"), format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}"));
    let kubectl = env.kubectl();
    let names: Vec<String> = namespaces.iter().map(|namespace| format!("--resource-name={namespace}")).collect();
    let sees = [vec!["create", "clusterrole", SCOPE, "--verb=get", "--resource=namespaces"], names.iter().map(String::as_str).collect()];
    kubectl.run(&sees.concat()).await?;
    kubectl.run(&["create", "clusterrolebinding", SCOPE, &format!("--clusterrole={SCOPE}"), &subject]).await?;
    for namespace in namespaces {
        kubectl.run(&["create", "rolebinding", SERVICE_ACCOUNT, &role, &subject, "--namespace", namespace]).await?;
    }
    kubectl.run(&["delete", "clusterrolebinding", SERVICE_ACCOUNT]).await?;
    Ok(())
}

async fn create_in(env: &Environment<'_>, namespace: &str, kind: &str, name: &str, spec: Value) -> Result<(), FaultsError> {
    let object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": kind, "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    });
    env.kubectl().run_with_input(&["create", "--filename=-"], &object.to_string()).await?;
    Ok(())
}

/// A schedule in the row's own namespace, with a slot each minute.
async fn schedule(env: &mut Environment<'_>, name: &str) -> Result<(), FaultsError> {
    let (namespace, instance) = (env.outcome.namespace.clone(), env.instance(name));
    // The row lasts three to eight minutes.
    env.asked(&instance, 2..=9);
    let template = json!({ "spec": { "dbInstanceId": instance, "method": "Physical" } });
    create_in(env, &namespace, "RdsBackupSchedule", name, json!({ "schedule": "* * * * *", "template": template })).await
}

/// Waits until a schedule has made one backup more, which has succeeded.
async fn next_slot(env: &mut Environment<'_>, name: &str) -> Result<(), FaultsError> {
    let prefix = format!("{name}-");
    let before = of_prefix(&env.objects().await?, &prefix).count();
    env.until(&format!("a new backup of {name}"), ONE_SLOT, |objects| {
        of_prefix(objects, &prefix).filter(|object| object["status"]["phase"] == "Succeeded").count() > before
    })
    .await;
    Ok(())
}

/// Waits until the one backup of the namespace that goes is accepted. The judge reads the row's own namespace, so its instance is not asked for.
async fn accepted(env: &mut Environment<'_>, instance: &str, limit: Duration) -> bool {
    let began = Instant::now();
    while env.world.rds.accepted(instance) == 0 && began.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let accepted = env.world.rds.accepted(instance) == 1;
    env.expect(accepted, "the backup of the namespace that goes was not accepted once");
    accepted
}

async fn succeeded(env: &mut Environment<'_>, name: &str, limit: Duration) {
    let prefix = format!("{name}-");
    env.until(&format!("succeeded: {name}"), limit, |objects| {
        of_prefix(objects, &prefix).count() == INSTANCES
            && of_prefix(objects, &prefix).all(|object| object["status"]["phase"] == "Succeeded")
    })
    .await;
}

fn of_prefix<'a>(objects: &'a [Value], prefix: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| {
        object["kind"] == "RdsBackup" && object["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(prefix))
    })
}
