//! Rows 34 and 35: many unrelated objects, and little memory or few files.

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::plane::audit;
use crate::rds::{Effect, Fault, Garbage};
use crate::world::{NAMESPACE, SERVICE_ACCOUNT};

/// Row 34: 10,000 Secrets and ConfigMaps, a third of them where the operator's own Secret is. It must not even ask for them.
pub(super) async fn unrelated(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    env.backups("before", 3, 1).await?;
    env.until_ended(seconds(60)).await;
    let before = resident_kib(env);
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
    // kubectl sends 50 requests a second at most, so four of them run at once.
    let kubectl = env.kubectl();
    let creations = chunks.into_iter().map(|chunk| {
        let kubectl = kubectl.clone();
        async move { kubectl.run_with_input(&["create", "--filename=-"], &chunk).await }
    });
    let mut creations = futures::StreamExt::buffer_unordered(futures::stream::iter(creations), 4);
    while let Some(created) = futures::StreamExt::next(&mut creations).await {
        created?;
        env.outcome.faults += 500;
    }
    drop(creations);
    env.first_operator().process.kill_9().await?;
    env.restart_ended()?;
    env.backups("among", 3, 2).await?;
    env.until_ended(seconds(60)).await;
    let after = resident_kib(env);
    let user = audit::service_account_user(NAMESPACE, SERVICE_ACCOUNT);
    let events = audit::read(env.world.plane.audit_log())?;
    let many = |event: &&audit::AuditEvent| matches!(event.resource.as_str(), "secrets" | "configmaps") && event.verb != "get";
    let asked = audit::by_user(&events, &user).filter(many).count();
    env.expect(asked == 0, format!("{asked} lists or watches of Secrets or ConfigMaps"));
    env.note(format!("resident: {before} KiB before, {after} KiB with 10,000 Secrets and ConfigMaps"));
    Ok(())
}

/// Row 35: 64 MiB of memory, 200 backups, and a service that answers a tenth of the requests with 10 MB.
pub(super) async fn memory(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    limit_memory(env, 64 << 20)?;
    let huge = Effect::Garbage { body: Garbage::Huge, executed: true };
    let instances = env.instance("many-*5");
    env.world.rds.add_fault(Fault::on("CreateBackup", huge).instance(&instances).times(20));
    env.backups("many", 200, 1).await?;
    env.until_ended(seconds(180)).await;
    env.expect_still_running()?;
    let peak = peak_kib(env);
    // 0 means that the figure could not be read.
    env.expect((1..64 << 10).contains(&peak), format!("{peak} KiB at its peak"));
    env.note(format!("resident: {peak} KiB at its peak, with 200 backups (of a build without optimization, if the sandbox is one)"));
    Ok(())
}

/// Row 35: 100 open files, and 100 backups at once.
pub(super) async fn files(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    limit(env, Resource::Nofile, 100)?;
    env.backups("many", 100, 1).await?;
    env.until_ended(seconds(120)).await;
    env.expect_still_running()
}

/// Limits the memory of the first operator, in bytes.
pub(super) fn limit_memory(env: &mut Environment<'_>, most: u64) -> Result<(), FaultsError> {
    limit(env, Resource::Data, most)
}

fn limit(env: &mut Environment<'_>, resource: Resource, most: u64) -> Result<(), FaultsError> {
    let pid = i32::try_from(env.first_operator().process.pid()).ok().and_then(Pid::from_raw);
    prlimit(pid, resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(std::io::Error::from)?;
    env.outcome.faults += 1;
    Ok(())
}

/// The memory that the first operator has now; 0 if it cannot be read.
fn resident_kib(env: &mut Environment<'_>) -> u64 {
    env.first_operator().process.memory_kib("VmRSS")
}

/// The memory that the first operator has now without the pages of files; 0 if it cannot be read.
pub(super) fn heap_kib(env: &mut Environment<'_>) -> u64 {
    env.first_operator().process.memory_kib("RssAnon")
}

/// The most memory that the first operator ever had; 0 if it cannot be read.
pub(super) fn peak_kib(env: &mut Environment<'_>) -> u64 {
    env.first_operator().process.memory_kib("VmHWM")
}
