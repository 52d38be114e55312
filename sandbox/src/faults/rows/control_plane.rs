//! Rows 21, 23 and 32: the control plane is killed, loses its data or its history, or serves another CRD.

use std::time::Instant;

use serde_json::json;

use super::environment::{Environment, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::outcome::{Expected, Times};
use crate::plane::Signal;

/// Row 23: the API server and etcd are killed in turn while backups run; both come back with their data.
pub(super) async fn killed(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.outcome.times = Times::Incomplete;
    env.start_operator().await?;
    env.backups("through", 10, 3).await?;
    for (accepted, etcd) in [(4, false), (10, true), (16, false), (22, true)] {
        if !env.until_accepted(accepted, seconds(90)).await {
            return Ok(());
        }
        let plane = &mut env.own().plane;
        if etcd {
            plane.kill_etcd().await?;
            tokio::time::sleep(seconds(5)).await;
            plane.start_etcd().await?;
        } else {
            plane.kill_api_server().await?;
            tokio::time::sleep(seconds(5)).await;
            plane.start_api_server().await?;
        }
        env.outcome.faults += 1;
    }
    env.until_ended(seconds(120)).await;
    env.expect_still_running()
}

/// Row 23: etcd comes back empty. No object asks for a backup any more, so no request may be sent.
pub(super) async fn emptied(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.outcome.times = Times::Incomplete;
    let namespace = env.outcome.namespace.clone();
    env.start_operator().await?;
    env.backups("gone", 5, 3).await?;
    if !env.until_accepted(4, seconds(60)).await {
        return Ok(());
    }
    let plane = &mut env.own().plane;
    plane.kill_api_server().await?;
    plane.kill_etcd().await?;
    plane.empty_etcd()?;
    plane.start_etcd().await?;
    plane.start_api_server().await?;
    env.outcome.faults += 1;
    nothing_is_sent_for_what_is_gone(env).await;
    env.expect_still_running()?;

    // Its token belongs to a ServiceAccount that is gone: in a cluster the kubelet would start the pod again with a new one.
    env.world.install_again().await?;
    env.kubectl().run(&["create", "namespace", &namespace]).await?;
    env.first_operator().process.stop().await?;
    env.operators.clear();
    env.start_operator().await?;
    env.backups("new", 3, 1).await?;
    env.until_ended(seconds(60)).await;
    Ok(())
}

/// Row 21: the operator is stopped while etcd and the API server lose the history that it has not seen yet.
pub(super) async fn compacted(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.outcome.times = Times::Incomplete;
    let namespace = env.outcome.namespace.clone();
    env.start_operator().await?;
    env.backups("through", 4, 3).await?;
    if !env.until_accepted(3, seconds(60)).await {
        return Ok(());
    }
    env.first_operator().process.signal(Signal::Stop)?;
    for round in ["1", "2", "3"] {
        let touch = format!("touched={round}");
        env.kubectl().run(&["annotate", "rdsbackup", "--all", "--overwrite", "--namespace", &namespace, &touch]).await?;
    }
    env.backups("unseen", 2, 1).await?;
    let plane = &mut env.own().plane;
    plane.compact_etcd().await?;
    plane.kill_api_server().await?;
    plane.start_api_server().await?;
    let continued = Instant::now();
    env.first_operator().process.signal(Signal::Cont)?;
    env.outcome.faults += 1;
    env.until_ended(seconds(90)).await;
    let requests = env.first_operator().injector.requests_since(Some(continued));
    let lists = requests.iter().filter(|(request, _)| request.starts_with("kube list") && !request.ends_with("of the instance")).count();
    env.expect((1..=6).contains(&lists), format!("{lists} lists after the history was compacted"));
    env.note(format!("{lists} lists after the history was compacted"));
    env.expect_still_running()
}

/// Row 32: the CRD gets a new field while jobs run; then it is deleted with all its objects, and created again.
pub(super) async fn crds(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let kubectl = env.kubectl();
    env.start_operator().await?;
    env.backups("through", 4, 2).await?;
    if !env.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let field = json!([{
        "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/later", "value": { "type": "string" },
    }]);
    let name = "rdsbackups.rdsbackup.io";
    kubectl.run(&["patch", "crd", name, "--type=json", "--patch", &field.to_string()]).await?;
    env.outcome.faults += 1;
    // The API server serves the field within a second or two. A field that the operator does not know must survive its writes.
    tokio::time::sleep(seconds(2)).await;
    env.backups("known", 1, 1).await?;
    let namespace = env.outcome.namespace.clone();
    let patch = json!({ "spec": { "later": "kept" } }).to_string();
    kubectl.run(&["patch", "rdsbackup", "known-0-0", "--namespace", &namespace, "--type=merge", "--patch", &patch]).await?;
    env.until_ended(seconds(90)).await;
    let kept = of_name(&env.objects().await?, "known-0-0")["spec"]["later"] == "kept";
    env.expect(kept, "a field that the operator does not know was lost");

    env.backups("gone", 2, 2).await?;
    if !env.until_accepted(10, seconds(60)).await {
        return Ok(());
    }
    kubectl.run(&["delete", "crd", "--all", "--timeout=60s"]).await?;
    env.outcome.faults += 1;
    nothing_is_sent_for_what_is_gone(env).await;
    env.world.install_again().await?;
    env.backups("new", 3, 1).await?;
    env.until_ended(seconds(120)).await;
    env.expect_still_running()
}

/// All objects are gone: any number of accepted requests up to those asked for is right, and no more may follow.
async fn nothing_is_sent_for_what_is_gone(env: &mut Environment<'_>) {
    // Requests that were sent before have ended by then.
    tokio::time::sleep(seconds(5)).await;
    let before = env.accepted();
    tokio::time::sleep(seconds(20)).await;
    let after = env.accepted();
    env.expect(after == before, format!("{} were sent for objects that are gone", after - before));
    for asked in &mut env.outcome.asked {
        asked.backups = 0..=*asked.backups.end();
    }
    env.outcome.expected = Expected::Backups(0);
}
