//! Sets that are there already, on a real API server: `existingBackupId` and `reuseIfNewerThan`.

use rds_backup_sandbox::rds::{Effect, Fault};
use serde_json::{Value, json};

use crate::site::{at_site, kstatus, message};

fn gate(instance: &str) -> Value {
    json!({ "dbInstanceId": instance, "method": "Physical", "reuseIfNewerThan": "1h" })
}

/// A team moves in: the set is there, and no object records it.
#[test]
fn a_set_that_is_there_is_taken_in_without_a_request_and_stays_when_the_object_goes() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("first", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let made = site.until_phase("first", "Succeeded").await;
        site.delete("first").await;
        let id = made["status"]["backupId"].as_str().unwrap();

        site.apply("taken", json!({ "dbInstanceId": instance, "existingBackupId": id })).await;
        let taken = site.until_phase("taken", "Succeeded").await;
        for field in ["backupId", "size", "sizeBytes", "startedAt", "completedAt", "duration"] {
            assert_eq!(taken["status"][field], made["status"][field], "{field}");
        }
        assert_eq!((&taken["status"]["origin"], &taken["status"]["submission"]), (&json!("Existing"), &Value::Null));
        assert_eq!(kstatus(&taken), ("True".to_owned(), false, false));
        assert_eq!(message(&taken), format!("backup set {id} was taken in: it exists and is usable"));

        // Of another instance, and of none.
        let other = format!("{instance}-other");
        site.apply("another", json!({ "dbInstanceId": other, "existingBackupId": id })).await;
        site.apply("nowhere", json!({ "dbInstanceId": instance, "existingBackupId": "1" })).await;
        for name in ["another", "nowhere"] {
            let object = site.until_reason(name, "BackupSetNotFound").await;
            assert_eq!(
                (kstatus(&object), object["status"]["phase"].as_str()),
                (("False".to_owned(), false, true), Some("Pending")),
                "{name}"
            );
        }
        site.delete("taken").await;
        assert_eq!(site.rds().sets(&instance).len(), 1, "the set stays");
        assert_eq!((site.rds().accepted(&instance), site.rds().accepted(&other)), (1, 0));
    });
}

/// A set of a backup that came to nothing is refused for good.
#[test]
fn a_set_that_cannot_be_restored_is_not_taken_in_and_not_reused() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::SpoilJob).instance(&instance).times(1));
        site.apply("spoilt", json!({ "dbInstanceId": instance, "method": "Physical", "timeout": "1h" })).await;
        site.until_reason("spoilt", "BackupNotUsable").await;
        let id = site.rds().sets(&instance)[0].backup_id.clone();
        site.apply("taken", json!({ "dbInstanceId": instance, "existingBackupId": id })).await;
        let refused = site.until_phase("taken", "Failed").await;
        assert!(kstatus(&refused).2, "{refused:#}");
        assert!(message(&refused).contains("cannot be restored"), "{}", message(&refused));
    });
}

/// Two gates at once, one whose operator is killed, one whose answer is lost: one backup serves them all.
#[test]
fn gates_that_meet_a_kill_and_a_lost_answer_share_one_backup() {
    at_site(|site| async move {
        let instance = site.instance("rm-mysql");
        let mut operator = site.operator().await;
        site.rds().add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance(&instance).times(1));
        for name in ["a", "b"] {
            site.apply(name, gate(&instance)).await;
        }
        site.until_accepted(&instance).await;
        operator.kill_9().await.unwrap();
        let _operator = site.operator().await;
        let (a, b) = (site.until_phase("a", "Succeeded").await, site.until_phase("b", "Succeeded").await);
        let mut origins = [a["status"]["origin"].as_str().unwrap(), b["status"]["origin"].as_str().unwrap()];
        origins.sort_unstable();
        assert_eq!(origins, ["Adopted", "Reused"]);
        assert_eq!(a["status"]["backupId"], b["status"]["backupId"]);
        let reused = if a["status"]["origin"] == "Reused" { &a } else { &b };
        assert!(["a", "b"].contains(&reused["status"]["reusedFrom"].as_str().unwrap()), "{reused:#}");
        assert!(message(reused).starts_with("no other backup was made: backup set "), "{}", message(reused));
        assert_eq!(site.rds().accepted(&instance), 1);
        let table = site.kubectl().run(&["get", "rdsb", "-n", &site.namespace]).await.unwrap();
        assert!(table.contains("ORIGIN") && table.contains("Reused"), "{table}");
    });
}
