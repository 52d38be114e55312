//! `restore-command`.

use serde_json::{Value, json};

use super::server::{Ended, Server};

/// A set that ended at that hour of 29 November.
fn ended_at(hour: u32) -> Value {
    json!({ "status": {
        "observedGeneration": 1, "phase": "Succeeded", "backupId": format!("7000000{hour:02}"), "size": "42Gi",
        "startedAt": format!("2026-11-29T{hour:02}:00:00Z"), "completedAt": format!("2026-11-29T{hour:02}:30:00Z"),
        "effective": { "regionId": "cn-shanghai", "engine": "MySQL", "engineVersion": "8.0", "method": "Physical" },
    } })
}

const NETWORK: [&str; 4] = ["--vpc-id", "vpc-drill", "--vswitch-id", "vsw-drill"];

fn restore(server: &Server, args: &[&str]) -> Ended {
    server.run(&[&["restore-command"], args].concat())
}

#[test]
fn stdout_is_one_command_and_the_notes_are_on_stderr() {
    let server = Server::new().with_backup("before-42", &ended_at(2));
    let done = restore(&server, &[&["before-42"], NETWORK.as_slice()].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    // As a shell reads it, without a program of that name: its words.
    let words = std::process::Command::new("sh")
        .args(["-c", &format!("aliyun() {{ printf '%s\\n' \"$@\"; }}\n{}", done.stdout)])
        .output()
        .expect("a shell");
    let words = String::from_utf8(words.stdout).expect("UTF-8");
    let token = words.lines().last().expect("a token").to_owned();
    let wanted = [
        "rds",
        "CloneDBInstance",
        "--region",
        "cn-shanghai",
        "--RegionId",
        "cn-shanghai",
        "--DBInstanceId",
        "rm-orders",
        "--BackupId",
        "700000002",
        "--PayType",
        "Postpaid",
        "--InstanceNetworkType",
        "VPC",
        "--VPCId",
        "vpc-drill",
        "--VSwitchId",
        "vsw-drill",
        "--DBInstanceDescription",
        "restore-of-rm-orders",
        "--DeletionProtection",
        "false",
        "--ClientToken",
        &token,
    ];
    assert_eq!(words.lines().collect::<Vec<_>>(), wanted);
    assert!(token.starts_with("rdsb-") && token.len() == 45, "{token}");
    assert!(done.stderr.lines().all(|line| line.starts_with("# ")) && done.stderr.contains("costs money"), "{}", done.stderr);
    let again = restore(&server, &[&["before-42"], NETWORK.as_slice()].concat());
    assert_eq!(again.stdout, done.stdout);
    // It read one object, and wrote nothing.
    let asked: Vec<String> = server.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(asked, vec!["GET /apis/rdsbackup.io/v1alpha1/namespaces/team-a/rdsbackups/before-42"; 2]);
}

#[test]
fn a_network_that_is_not_named_stops_the_shell() {
    let server = Server::new().with_backup("before-42", &ended_at(2));
    let done = restore(&server, &["before-42"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let shell = std::process::Command::new("sh")
        .args(["-c", &format!("aliyun() {{ echo ran; }}\n{}", done.stdout)])
        .env_clear()
        .output()
        .expect("a shell");
    let said = String::from_utf8(shell.stderr).expect("UTF-8");
    assert!(!shell.status.success() && shell.stdout.is_empty() && said.contains("VPC_ID: set it to the VPC of the clone"), "{said}");
    let json = restore(&server, &["before-42", "-o", "json"]);
    assert!(
        json.code == 2 && json.stdout.is_empty() && json.stderr.contains("give --vpc-id and --vswitch-id, or --same-network"),
        "{}",
        json.stderr
    );
}

#[test]
fn the_moment_chooses_among_the_siblings_and_is_offered_itself() {
    let server = Server::new()
        .with_backup("early", &ended_at(2))
        .with_backup("late", &ended_at(8))
        .with_backup("failed", &json!({ "status": { "observedGeneration": 1, "phase": "Failed" } }))
        .with_backup("unreadable", &json!({ "spec": { "dbInstanceId": 7 } }));
    let done = restore(&server, &[&["failed", "--to-time", "2026-11-29T07:00:00Z", "-o", "json"], NETWORK.as_slice()].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let found: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((&found["parameters"]["BackupId"], &found["backup"]["name"]), (&json!("700000002"), &json!("early")));
    assert_eq!(
        (&found["toTime"]["parameters"]["RestoreTime"], &found["toTime"]["parameters"]["BackupId"]),
        (&json!("2026-11-29T07:00:00Z"), &Value::Null)
    );
    assert_ne!(found["toTime"]["parameters"]["ClientToken"], found["parameters"]["ClientToken"]);
    assert_eq!((&found["parameters"]["DeletionProtection"], &found["regionId"]), (&json!(false), &json!("cn-shanghai")));
    assert!(found["notes"][0].as_str().is_some_and(|note| note.contains("before 2026-11-29T07:00:00Z, by 4h30m")), "{found:#}");
    let list = &server.requests()[1];
    assert!(list.query.contains("fieldSelector=spec.dbInstanceId%3Drm-orders"), "{list:?}");

    let early = restore(&server, &["late", "--to-time", "2026-11-29T02:29:59Z", "--same-network"]);
    assert!(early.code == 1 && early.stderr.contains("the oldest in this namespace is early, of 2026-11-29T02:30:00Z"), "{}", early.stderr);
    let future = restore(&server, &["late", "--to-time", "2996-11-29T02:29:59Z", "--same-network"]);
    assert!(future.code == 2 && future.stderr.contains("is in the future"), "{}", future.stderr);
    let cli = restore(&server, &["late", "--to-time", "2026-11-29T09:00:00Z", "--same-network"]);
    assert!(
        cli.stdout.matches("aliyun").count() == 1 && cli.stderr.contains("--RestoreTime 2026-11-29T09:00:00Z"),
        "one call, and one more to read: {cli:?}"
    );
}

#[test]
fn terraform_gets_a_resource_with_the_provider_s_own_names() {
    let server = Server::new().with_backup("before-42", &ended_at(2));
    let done =
        restore(&server, &[&["before-42", "-o", "terraform", "--name", "drill-1", "--deletion-protection"], NETWORK.as_slice()].concat());
    let body = done.stdout.split_once("\nresource ").expect("a resource").1;
    let wanted = r#""alicloud_rds_clone_db_instance" "restore_of_rm_orders" {
  source_db_instance_id    = "rm-orders"
  backup_id                = "700000002"
  payment_type             = "PayAsYouGo"
  instance_network_type    = "VPC"
  vpc_id                   = "vpc-drill"
  vswitch_id               = "vsw-drill"
  db_instance_description  = "drill-1"
  deletion_protection      = true
  db_instance_storage_type = var.db_instance_storage_type
}
"#;
    assert_eq!(body, wanted);
    assert!(done.code == 0 && done.stderr.is_empty() && done.stdout.contains("# Nothing was created."), "{done:?}");
}

#[test]
fn what_cannot_be_restored_ends_with_1_and_what_cannot_be_asked_with_3() {
    let unavailable = json!([{ "type": "Available", "status": "False", "reason": "BackupSetGone", "message": "the service no longer lists it",
        "lastTransitionTime": "2026-11-29T12:00:00Z" }]);
    let mut gone = ended_at(2);
    gone["status"]["conditions"] = unavailable;
    let mut logical = ended_at(2);
    logical["status"]["effective"]["method"] = json!("Logical");
    let mut expired = ended_at(2);
    expired["status"]["expiresAt"] = json!("2026-01-01T00:00:00Z");
    let server = Server::new()
        .with_backup("gone", &gone)
        .with_backup("logical", &logical)
        .with_backup("expired", &expired)
        .with_backup("running", &json!({ "status": { "observedGeneration": 1, "phase": "Running" } }))
        .with_backup("unreadable", &json!({ "spec": { "dbInstanceId": 7 } }));
    for (name, wanted) in [
        ("gone", "cannot be restored (BackupSetGone): the service no longer lists it"),
        ("logical", "is logical"),
        ("expired", "expired at 2026-01-01T00:00:00Z"),
        ("running", "has not ended, it is Running"),
        ("unreadable", "cannot be read"),
        ("none", "there is no RdsBackup \"none\" in namespace team-a: `kubectl get rdsbackups.rdsbackup.io -n team-a` lists them"),
    ] {
        let done = restore(&server, &[name]);
        assert!(done.code == 1 && done.stdout.is_empty() && done.stderr.contains(wanted), "{name}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{name}: {done:?}");
    }
    for args in [
        &["../pods"][..],
        &["b", "--vpc-id", "vpc-1"],
        &["b", "--same-network", "--vpc-id", "v", "--vswitch-id", "v"],
        &["b", "--name", "1"],
        &[],
    ] {
        assert_eq!(restore(&server, args).code, 2, "{args:?}");
    }
    let server = Server::new().forbidding("GET", "/apis/rdsbackup.io/", "get", "rdsbackups");
    let done = restore(&server, &["b"]);
    assert!(
        done.code == 3
            && done
                .stderr
                .contains("\"ann@example.org\" may not get rdsbackups.rdsbackup.io in namespace team-a: `kubectl create rolebinding"),
        "{done:?}"
    );
    let server = Server::new().refusing(
        "GET",
        "/apis/rdsbackup.io/",
        404,
        json!({ "kind": "Status", "message": "404 page not found", "code": 404 }),
    );
    let done = restore(&server, &["b"]);
    assert!(done.code == 3 && done.stderr.contains("the cluster does not know rdsbackups.rdsbackup.io: install the CRDs"), "{done:?}");
}
