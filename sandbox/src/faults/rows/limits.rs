//! Rows 34 and 35: much that is not ours, and little to live on.

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use super::ground::{Ground, seconds};
use crate::faults::error::FaultsError;
use crate::plane::audit;
use crate::rds::{Effect, Fault, Garbage};
use crate::world::{NAMESPACE, SERVICE_ACCOUNT};

/// Row 34: 10,000 Secrets and ConfigMaps, a third of them where the operator's own Secret is. It must not even ask for them.
pub(super) async fn unrelated(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    ground.backups("before", 3, 1).await?;
    ground.until_ended(seconds(60)).await;
    let before = resident_kib(ground);
    let one = |number: usize| {
        let kind = if number.is_multiple_of(2) { "Secret" } else { "ConfigMap" };
        let namespace = if number.is_multiple_of(3) { NAMESPACE } else { "default" };
        let data = if kind == "Secret" { json!({ "x": "eA==" }) } else { json!({ "x": "x" }) };
        json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": format!("unrelated-{number}"), "namespace": namespace }, "data": data })
    };
    let chunks: Vec<String> = (0..20)
        .map(|chunk| {
            json!({ "apiVersion": "v1", "kind": "List", "items": (0..500).map(|n| one(chunk * 500 + n)).collect::<Vec<_>>() }).to_string()
        })
        .collect();
    // kubectl holds itself to 50 requests a second: four of them.
    let kubectl = ground.kubectl();
    let creations = chunks.into_iter().map(|chunk| {
        let kubectl = kubectl.clone();
        async move { kubectl.run_with_input(&["create", "--filename=-"], &chunk).await }
    });
    let mut creations = futures::StreamExt::buffer_unordered(futures::stream::iter(creations), 4);
    while let Some(created) = futures::StreamExt::next(&mut creations).await {
        created?;
        ground.ran.struck += 500;
    }
    drop(creations);
    ground.stand().operator.kill_9().await?;
    ground.start_those_that_ended()?;
    ground.backups("among", 3, 2).await?;
    ground.until_ended(seconds(60)).await;
    let after = resident_kib(ground);
    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    let events = audit::read(ground.world.plane.audit_log())?;
    let many = |event: &&audit::AuditEvent| matches!(event.resource.as_str(), "secrets" | "configmaps") && event.verb != "get";
    let asked = audit::by_user(&events, &user).filter(many).count();
    ground.expect(asked == 0, format!("{asked} lists or watches of Secrets or ConfigMaps"));
    ground.note(format!("resident: {before} KiB before, {after} KiB with 10,000 Secrets and ConfigMaps"));
    Ok(())
}

/// Row 35: 64 MiB to write into, 200 backups, and a service that answers a tenth of the requests with 10 MB.
pub(super) async fn memory(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    limit(ground, Resource::Data, 64 << 20)?;
    let huge = Effect::Garbage { body: Garbage::Huge, executed: true };
    let instances = ground.instance("many-*5");
    ground.world.rds.add_fault(Fault::on("CreateBackup", huge).instance(&instances).times(20));
    ground.backups("many", 200, 1).await?;
    ground.until_ended(seconds(180)).await;
    ground.still_the_first()?;
    let peak = of_status(ground, "VmHWM:");
    // 0 is a figure that could not be read.
    ground.expect((1..64 << 10).contains(&peak), format!("{peak} KiB at its peak"));
    ground.note(format!("resident: {peak} KiB at its peak, with 200 backups (of a build without optimization, if the sandbox is one)"));
    Ok(())
}

/// Row 35: 100 open files, and 100 backups at once.
pub(super) async fn files(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    limit(ground, Resource::Nofile, 100)?;
    ground.backups("many", 100, 1).await?;
    ground.until_ended(seconds(120)).await;
    ground.still_the_first()
}

fn limit(ground: &mut Ground<'_>, resource: Resource, most: u64) -> Result<(), FaultsError> {
    let pid = i32::try_from(ground.stand().operator.pid()).ok().and_then(Pid::from_raw);
    prlimit(pid, resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(std::io::Error::from)?;
    ground.ran.struck += 1;
    Ok(())
}

fn resident_kib(ground: &mut Ground<'_>) -> u64 {
    of_status(ground, "VmRSS:")
}

/// A figure of the first operator's process, in KiB.
fn of_status(ground: &mut Ground<'_>, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", ground.stand().operator.pid())).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|figure| figure.parse().ok()).unwrap_or_default()
}
