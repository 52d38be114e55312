//! Rows 21, 23 and 32: the control plane is killed, emptied or changed, or forgets.

use std::time::Instant;

use serde_json::json;

use super::ground::{Ground, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::ran::{Expected, Times};
use crate::plane::Signal;

/// Row 23: the API server is killed, and etcd is, while there is work; both come back with their data.
pub(super) async fn killed(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.ran.times = Times::Incomplete;
    ground.operator().await?;
    ground.backups("through", 10, 3).await?;
    for (accepted, etcd) in [(4, false), (10, true), (16, false), (22, true)] {
        if !ground.until_accepted(accepted, seconds(90)).await {
            return Ok(());
        }
        let plane = &mut ground.own().plane;
        if etcd {
            plane.kill_etcd().await?;
            tokio::time::sleep(seconds(5)).await;
            plane.start_etcd().await?;
        } else {
            plane.kill_api_server().await?;
            tokio::time::sleep(seconds(5)).await;
            plane.start_api_server().await?;
        }
        ground.ran.struck += 1;
    }
    ground.until_ended(seconds(120)).await;
    ground.still_the_first()
}

/// Row 23: etcd comes back empty. Nothing is asked for any more, so nothing may be sent.
pub(super) async fn emptied(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.ran.times = Times::Incomplete;
    let namespace = ground.ran.namespace.clone();
    ground.operator().await?;
    ground.backups("gone", 5, 3).await?;
    if !ground.until_accepted(4, seconds(60)).await {
        return Ok(());
    }
    let plane = &mut ground.own().plane;
    plane.kill_api_server().await?;
    plane.kill_etcd().await?;
    plane.empty_etcd()?;
    plane.start_etcd().await?;
    plane.start_api_server().await?;
    ground.ran.struck += 1;
    nothing_is_sent_for_what_is_gone(ground).await;
    ground.still_the_first()?;

    // Its token is that of a ServiceAccount that is gone: in a cluster the kubelet would start it anew with another.
    ground.world.install_again().await?;
    ground.kubectl().run(&["create", "namespace", &namespace]).await?;
    ground.stand().operator.stop().await?;
    ground.stands.clear();
    ground.operator().await?;
    ground.backups("new", 3, 1).await?;
    ground.until_ended(seconds(60)).await;
    Ok(())
}

/// Row 21: the operator stands still while etcd forgets what it has not seen yet, and the API server with it.
pub(super) async fn compacted(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.ran.times = Times::Incomplete;
    let namespace = ground.ran.namespace.clone();
    ground.operator().await?;
    ground.backups("through", 4, 3).await?;
    if !ground.until_accepted(3, seconds(60)).await {
        return Ok(());
    }
    ground.stand().operator.signal(Signal::Stop)?;
    for round in ["1", "2", "3"] {
        let touch = format!("touched={round}");
        ground.kubectl().run(&["annotate", "rdsbackup", "--all", "--overwrite", "--namespace", &namespace, &touch]).await?;
    }
    ground.backups("unseen", 2, 1).await?;
    let plane = &mut ground.own().plane;
    plane.compact_etcd().await?;
    plane.kill_api_server().await?;
    plane.start_api_server().await?;
    let woken = Instant::now();
    ground.stand().operator.signal(Signal::Cont)?;
    ground.ran.struck += 1;
    ground.until_ended(seconds(90)).await;
    let requests = ground.stand().strike.requests_since(Some(woken));
    let lists = requests.iter().filter(|(request, _)| request.starts_with("kube list") && !request.ends_with("of the instance")).count();
    ground.expect((1..=6).contains(&lists), format!("{lists} lists after the history was forgotten"));
    ground.note(format!("{lists} lists after the history was forgotten"));
    ground.still_the_first()
}

/// Row 32: the CRD gets a field under way; then it is deleted, with all that is of it, and made anew.
pub(super) async fn crds(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let kubectl = ground.kubectl();
    ground.operator().await?;
    ground.backups("through", 4, 2).await?;
    if !ground.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let field = json!([{
        "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/later", "value": { "type": "string" },
    }]);
    let name = "rdsbackups.rdsbackup.io";
    kubectl.run(&["patch", "crd", name, "--type=json", "--patch", &field.to_string()]).await?;
    ground.ran.struck += 1;
    // The API server takes the field up within a second or two; then what the operator does not know must survive its writes.
    tokio::time::sleep(seconds(2)).await;
    ground.backups("known", 1, 1).await?;
    let namespace = ground.ran.namespace.clone();
    let patch = json!({ "spec": { "later": "kept" } }).to_string();
    kubectl.run(&["patch", "rdsbackup", "known-0-0", "--namespace", &namespace, "--type=merge", "--patch", &patch]).await?;
    ground.until_ended(seconds(90)).await;
    let kept = of_name(&ground.objects().await?, "known-0-0")["spec"]["later"] == "kept";
    ground.expect(kept, "a field that the operator does not know was lost");

    ground.backups("gone", 2, 2).await?;
    if !ground.until_accepted(10, seconds(60)).await {
        return Ok(());
    }
    kubectl.run(&["delete", "crd", "--all", "--timeout=60s"]).await?;
    ground.ran.struck += 1;
    nothing_is_sent_for_what_is_gone(ground).await;
    ground.world.install_again().await?;
    ground.backups("new", 3, 1).await?;
    ground.until_ended(seconds(120)).await;
    ground.still_the_first()
}

/// All objects are gone: of each instance any number of those that were asked for is right, and no more come.
async fn nothing_is_sent_for_what_is_gone(ground: &mut Ground<'_>) {
    // What was under way when they went has ended by then.
    tokio::time::sleep(seconds(5)).await;
    let before = ground.accepted();
    tokio::time::sleep(seconds(20)).await;
    let after = ground.accepted();
    ground.expect(after == before, format!("{} were sent for objects that are gone", after - before));
    for asked in &mut ground.ran.asked {
        asked.backups = 0..=*asked.backups.end();
    }
    ground.ran.expected = Expected::Backups(0);
}
