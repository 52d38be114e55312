//! Rows 30 and 31: what people do to objects.

use serde_json::{Value, json};

use super::ground::{Ground, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::ran::Expected;
use crate::rds::{Effect, Fault, When};

/// Row 30: an object is deleted in each phase, and created again under its name.
pub(super) async fn deleted(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.jobs_run_for("queued", seconds(8));
    ground.operator().await?;
    let namespace = ground.ran.namespace.clone();
    for phase in ["Queued", "Submitting", "Running", "Succeeded"] {
        let name = phase.to_lowercase();
        let instance = ground.instance(&name);
        let mut most = 2;
        if phase == "Queued" {
            // Behind another one.
            ground.backup("before", &instance).await?;
            ground.expect_more(1);
            ground.until_phase("before", "Running").await;
            most = 3;
        }
        if phase == "Submitting" {
            let late = Effect::Delay { ms: 3000, when: When::After };
            ground.world.rds.add_fault(Fault::on("CreateBackup", late).instance(&instance).times(1));
        }
        ground.asked(&instance, most - 1..=most);
        ground.expect_more(1);
        ground.backup(&name, &instance).await?;
        if !ground.until_phase(&name, phase).await {
            return Ok(());
        }
        let first = of_name(&ground.objects().await?, &name).clone();
        ground.kubectl().run(&["delete", "rdsbackup", &name, "--namespace", &namespace]).await?;
        ground.backup(&name, &instance).await?;
        ground.ran.struck += 1;
        ground.until_phase(&name, "Succeeded").await;
        let second = of_name(&ground.objects().await?, &name).clone();
        ground.expect(first["metadata"]["uid"] != second["metadata"]["uid"], format!("{name} was not made anew"));
        let job = &first["status"]["backupJobId"];
        ground.expect(job.is_null() || *job != second["status"]["backupJobId"], format!("{name} has the job of the one before it"));
    }
    Ok(())
}

/// Row 30: the namespace goes while its backups run, and comes back with the same.
pub(super) async fn namespace(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    let namespace = ground.ran.namespace.clone();
    let kubectl = ground.kubectl();
    ground.backups("gone", 4, 2).await?;
    if !ground.until_accepted(3, seconds(60)).await {
        return Ok(());
    }
    kubectl.run(&["delete", "namespace", &namespace, "--timeout=60s"]).await?;
    ground.ran.struck += 1;
    ground.ran.asked.clear();
    kubectl.run(&["create", "namespace", &namespace]).await?;
    ground.ran.expected = Expected::Backups(0);
    ground.backups("gone", 4, 2).await?;
    for asked in &mut ground.ran.asked {
        asked.backups = 2..=4;
    }
    ground.until_ended(seconds(90)).await;
    Ok(())
}

/// Row 31: what may be edited is edited under way, and what may not is refused.
pub(super) async fn spec_edited(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.jobs_run_for("edited-*", seconds(20));
    ground.operator().await?;
    let namespace = ground.ran.namespace.clone();
    let edits = [json!({ "timeout": "10h", "queueTimeout": "3h" }), json!({ "retry": { "limit": 2 } }), json!({ "timeout": "9h" })];
    ground.backups("edited", edits.len(), 1).await?;
    for (number, spec) in edits.iter().enumerate() {
        let name = format!("edited-{number}-0");
        while_running(ground, &namespace, &name, &[], json!({ "spec": spec })).await?;
        let what = json!({ "spec": { "dbInstanceId": "rm-mysql-another" } });
        let refused = patch(ground, &namespace, &name, &[], &what).await.is_err();
        ground.expect(refused, format!("{name} was turned to another instance under way"));
        ground.ran.struck += 1;
    }
    ground.until_ended(seconds(60)).await;
    Ok(())
}

/// Row 31: somebody writes into the status.
pub(super) async fn status_edited(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.jobs_run_for("edited-*", seconds(20));
    ground.operator().await?;
    let namespace = ground.ran.namespace.clone();
    let edits = [
        json!({ "phase": "Queued" }),
        json!({ "conditions": [] }),
        json!({ "conditions": null, "progressPercent": 75, "startedAt": null }),
        json!({ "submission": { "waitingSince": "2020-01-01T00:00:00Z" } }),
        json!({ "attempts": [], "lastError": { "code": "X", "message": "y", "at": "2026-03-01T00:00:00Z" } }),
        json!({ "backupJobId": null }),
    ];
    ground.backups("edited", edits.len(), 1).await?;
    for (number, status) in edits.iter().enumerate() {
        let name = format!("edited-{number}-0");
        while_running(ground, &namespace, &name, &["--subresource=status"], json!({ "status": status })).await?;
        ground.ran.struck += 1;
    }
    ground.until_ended(seconds(90)).await;
    Ok(())
}

/// Patches an object in the version that was seen Running: a patch that came after its end would be another row.
async fn while_running(ground: &mut Ground<'_>, namespace: &str, name: &str, more: &[&str], mut change: Value) -> Result<(), FaultsError> {
    loop {
        if !ground.until_phase(name, "Running").await {
            return Ok(());
        }
        let seen = of_name(&ground.objects().await?, name).clone();
        if seen["status"]["phase"] != "Running" {
            continue;
        }
        change["metadata"] = json!({ "resourceVersion": seen["metadata"]["resourceVersion"] });
        match patch(ground, namespace, name, more, &change).await {
            Err(error) if error.to_string().contains("the object has been modified") => {}
            done => return done,
        }
    }
}

async fn patch(ground: &Ground<'_>, namespace: &str, name: &str, more: &[&str], patch: &Value) -> Result<(), FaultsError> {
    let patch = patch.to_string();
    let args = [&["patch", "rdsbackup", name, "--namespace", namespace, "--type=merge", "--patch", &patch], more].concat();
    ground.kubectl().run(&args).await?;
    Ok(())
}
