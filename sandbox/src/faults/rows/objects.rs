//! Rows 30, 31 and 38: users delete, edit and restore objects.

use serde_json::{Value, json};

use super::environment::{Environment, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::outcome::Expected;
use crate::rds::{Effect, Fault, When};

/// Row 30: an object is deleted in each phase, and created again under its name.
pub(super) async fn deleted(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.jobs_run_for("queued", seconds(8));
    env.start_operator().await?;
    let namespace = env.outcome.namespace.clone();
    for phase in ["Queued", "Submitting", "Running", "Succeeded"] {
        let name = phase.to_lowercase();
        let instance = env.instance(&name);
        let mut most = 2;
        if phase == "Queued" {
            // Queued behind another backup.
            env.backup("before", &instance).await?;
            env.expect_more(1);
            env.until_phase("before", "Running").await;
            most = 3;
        }
        if phase == "Submitting" {
            let late = Effect::Delay { ms: 3000, when: When::After };
            env.world.rds.add_fault(Fault::on("CreateBackup", late).instance(&instance).times(1));
        }
        env.asked(&instance, most - 1..=most);
        env.expect_more(1);
        env.backup(&name, &instance).await?;
        if !env.until_phase(&name, phase).await {
            return Ok(());
        }
        let first = of_name(&env.objects().await?, &name).clone();
        env.kubectl().run(&["delete", "rdsbackup", &name, "--namespace", &namespace]).await?;
        env.backup(&name, &instance).await?;
        env.outcome.faults += 1;
        env.until_phase(&name, "Succeeded").await;
        let second = of_name(&env.objects().await?, &name).clone();
        env.expect(first["metadata"]["uid"] != second["metadata"]["uid"], format!("{name} was not created again"));
        let job = &first["status"]["backupJobId"];
        env.expect(job.is_null() || *job != second["status"]["backupJobId"], format!("{name} has the job of the one before it"));
    }
    Ok(())
}

/// Row 30: the namespace is deleted while its backups run, and created again with the same backups.
pub(super) async fn namespace(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    let namespace = env.outcome.namespace.clone();
    let kubectl = env.kubectl();
    env.backups("gone", 4, 2).await?;
    if !env.until_accepted(3, seconds(60)).await {
        return Ok(());
    }
    kubectl.run(&["delete", "namespace", &namespace, "--timeout=60s"]).await?;
    env.outcome.faults += 1;
    env.outcome.asked.clear();
    kubectl.run(&["create", "namespace", &namespace]).await?;
    env.outcome.expected = Expected::Backups(0);
    env.backups("gone", 4, 2).await?;
    for asked in &mut env.outcome.asked {
        asked.backups = 2..=4;
    }
    env.until_ended(seconds(90)).await;
    Ok(())
}

/// Finished backups of the schedule that are restored, and one-shots.
const RESTORED: (usize, usize) = (15, 5);

/// Row 38: a schedule's finished backups and some one-shots come back without their status, as most tools restore them, beside the live
/// schedule. None of them is made again, and the schedule's own slot is.
pub(super) async fn restored(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    let (namespace, instance) = (env.outcome.namespace.clone(), env.instance("live"));
    let schedule = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": "live", "namespace": namespace },
        "spec": { "schedule": "* * * * *", "template": { "spec": { "dbInstanceId": instance, "method": "Physical" } } },
    });
    env.kubectl().run_with_input(&["create", "--filename=-"], &schedule.to_string()).await?;
    env.asked(&instance, 1..=3);
    let live = env.kubectl().json(&["get", "rdsbackupschedule", "live", "--namespace", &namespace]).await?;
    let now = env.world.rds.now().service;
    let restored = |name: String, instance: &str, labels: Value, ended: &str| {
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": namespace, "labels": labels },
            "spec": { "dbInstanceId": instance, "method": "Physical", "notAfter": ended },
        })
    };
    let mut items = Vec::new();
    for number in 0..RESTORED.0 + RESTORED.1 {
        let hours = i64::try_from(number).unwrap_or_default() + 1;
        let slot = now.checked_sub(jiff::SignedDuration::from_hours(hours)).map_err(std::io::Error::other)?;
        let ended = slot.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        if number < RESTORED.0 {
            let labels = json!({ "rdsbackup.io/schedule-name": "live", "rdsbackup.io/schedule-uid": live["metadata"]["uid"] });
            items.push(restored(slot.strftime("live-%Y%m%d%H%M").to_string(), &instance, labels, &ended));
        } else {
            let instance = env.instance(&format!("one-{number}"));
            env.asked(&instance, 0..=0);
            items.push(restored(format!("one-{number}"), &instance, json!({}), &ended));
        }
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    env.kubectl().run_with_input(&["create", "--filename=-"], &list.to_string()).await?;
    env.outcome.faults += items.len();
    let names: Vec<String> = items.iter().filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect();
    let expired = |objects: &[Value]| {
        let reason = |name: &String| super::environment::condition(of_name(objects, name), "Ready")["reason"] == "Expired";
        names.iter().all(|name| of_name(objects, name)["status"]["phase"] == "Failed" && reason(name))
    };
    env.until("Expired: all that were restored", seconds(60), expired).await;
    // The schedule's own slot is within a minute.
    let own = |objects: &[Value]| {
        let of_schedule = objects.iter().filter(|object| object["kind"] == "RdsBackup" && object["status"]["phase"] == "Succeeded");
        of_schedule.count() > 0
    };
    env.until("a backup of the live schedule succeeded", seconds(90), own).await;
    env.note(format!("{} restored, {} accepted of the live schedule", names.len(), env.accepted()));
    env.kubectl().run(&["delete", "rdsbackupschedule", "live", "--namespace", &namespace]).await?;
    let kubectl = env.kubectl();
    let args = [vec!["delete", "rdsbackup", "--namespace", &namespace], names.iter().map(String::as_str).collect()].concat();
    kubectl.run(&args).await?;
    env.until_ended(seconds(60)).await;
    let made = env.objects().await?.iter().filter(|object| object["kind"] == "RdsBackup").count();
    env.expect_more(made);
    Ok(())
}

/// Row 31: mutable fields are edited while the jobs run, and an edit of an immutable one is refused.
pub(super) async fn spec_edited(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.jobs_run_for("edited-*", seconds(20));
    env.start_operator().await?;
    let namespace = env.outcome.namespace.clone();
    let edits = [json!({ "timeout": "10h", "queueTimeout": "3h" }), json!({ "retry": { "limit": 2 } }), json!({ "timeout": "9h" })];
    env.backups("edited", edits.len(), 1).await?;
    for (number, spec) in edits.iter().enumerate() {
        let name = format!("edited-{number}-0");
        while_running(env, &namespace, &name, &[], json!({ "spec": spec })).await?;
        let what = json!({ "spec": { "dbInstanceId": "rm-mysql-another" } });
        let refused = patch(env, &namespace, &name, &[], &what).await.is_err();
        env.expect(refused, format!("{name} was changed to another instance while its job ran"));
        env.outcome.faults += 1;
    }
    env.until_ended(seconds(60)).await;
    Ok(())
}

/// Row 31: a user writes into the status.
pub(super) async fn status_edited(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.jobs_run_for("edited-*", seconds(20));
    env.start_operator().await?;
    let namespace = env.outcome.namespace.clone();
    let edits = [
        json!({ "phase": "Queued" }),
        json!({ "conditions": [] }),
        json!({ "conditions": null, "progressPercent": 75, "startedAt": null }),
        json!({ "submission": { "waitingSince": "2020-01-01T00:00:00Z" } }),
        json!({ "attempts": [], "lastError": { "code": "X", "message": "y", "at": "2026-03-01T00:00:00Z" } }),
        json!({ "backupJobId": null }),
    ];
    env.backups("edited", edits.len(), 1).await?;
    for (number, status) in edits.iter().enumerate() {
        let name = format!("edited-{number}-0");
        while_running(env, &namespace, &name, &["--subresource=status"], json!({ "status": status })).await?;
        env.outcome.faults += 1;
    }
    env.until_ended(seconds(90)).await;
    Ok(())
}

/// Patches an object in the version that was seen Running: a patch that came after its end would be another row.
async fn while_running(
    env: &mut Environment<'_>,
    namespace: &str,
    name: &str,
    more: &[&str],
    mut change: Value,
) -> Result<(), FaultsError> {
    loop {
        if !env.until_phase(name, "Running").await {
            return Ok(());
        }
        let seen = of_name(&env.objects().await?, name).clone();
        if seen["status"]["phase"] != "Running" {
            continue;
        }
        change["metadata"] = json!({ "resourceVersion": seen["metadata"]["resourceVersion"] });
        match patch(env, namespace, name, more, &change).await {
            Err(error) if error.to_string().contains("the object has been modified") => {}
            done => return done,
        }
    }
}

async fn patch(env: &Environment<'_>, namespace: &str, name: &str, more: &[&str], patch: &Value) -> Result<(), FaultsError> {
    let patch = patch.to_string();
    let args = [&["patch", "rdsbackup", name, "--namespace", namespace, "--type=merge", "--patch", &patch], more].concat();
    env.kubectl().run(&args).await?;
    Ok(())
}
