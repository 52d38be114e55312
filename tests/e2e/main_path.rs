//! From `kubectl apply` to Succeeded.

use std::time::Duration;

use rds_backup_sandbox::{
    plane::audit::Write,
    rds::{Effect, Engine, Fault},
    world::StartOperator,
};
use serde_json::json;

use crate::site::{at_site, condition, kstatus, log_lines, message};

#[test]
fn every_engine_gets_its_backup() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let (mysql, postgresql, sqlserver, mariadb) =
            (site.instance("rm-mysql"), site.instance("pgm"), site.instance("rm-mssql"), site.instance("rm-maria"));
        let shop = format!("{mysql}-shop");
        for (name, spec) in [
            ("mysql", json!({ "dbInstanceId": mysql, "method": "Physical" })),
            (
                "two-databases",
                json!({ "dbInstanceId": shop, "method": "Logical", "strategy": "db", "databases": ["orders", "users"], "retentionDays": 30 }),
            ),
            ("postgresql", json!({ "dbInstanceId": postgresql, "method": "Snapshot" })),
            (
                "sqlserver",
                json!({ "dbInstanceId": sqlserver, "method": "Physical", "type": "FullBackup", "strategy": "db", "databases": ["orders"], "retentionDays": 7 }),
            ),
            ("mariadb", json!({ "dbInstanceId": mariadb })),
        ] {
            site.apply(name, spec).await;
        }
        for (name, instance, engine, method) in [
            ("mysql", &mysql, Engine::MySQL, "Physical"),
            ("two-databases", &shop, Engine::MySQL, "Logical"),
            ("postgresql", &postgresql, Engine::PostgreSQL, "Snapshot"),
            ("sqlserver", &sqlserver, Engine::SQLServer, "Physical"),
            ("mariadb", &mariadb, Engine::MariaDB, "Snapshot"),
        ] {
            let object = site.until_phase(name, "Succeeded").await;
            let status = &object["status"];
            assert_eq!(kstatus(&object), ("True".to_owned(), false, false), "{name}");
            let sets = site.rds().sets(instance);
            assert_eq!(sets.len(), 1, "{name}");
            assert_eq!(status["backupId"], sets[0].backup_id, "{name}");
            assert_eq!(status["backupJobId"], sets[0].job_id, "{name}");
            assert_eq!(status["effective"]["engine"], engine.name(), "{name}");
            assert_eq!(status["effective"]["method"], method, "{name}");
            assert_eq!(status["origin"], "Created", "{name}");
            assert_eq!((&status["submission"]["run"], &status["submission"]["attempt"]), (&json!(1), &json!(1)), "{name}");
            for field in ["startedAt", "completedAt", "duration", "size", "sizeBytes", "requestId"] {
                assert!(!status[field].is_null(), "{name} has no {field}: {status:#}");
            }
            assert_eq!(status["observedGeneration"], object["metadata"]["generation"]);
            assert_eq!(site.rds().accepted(instance), 1, "{name}");
        }
        let ledger = site.rds().ledger();
        let request = &ledger.iter().find(|entry| entry.instance == shop).unwrap().parameters;
        assert_eq!((request["DBName"].as_str(), request["BackupRetentionPeriod"].as_str()), ("orders,users", "30"));
        assert_eq!(ledger.iter().find(|entry| entry.instance == sqlserver).unwrap().parameters["BackupType"], "FullBackup");

        let table = site.kubectl().run(&["get", "rdsb", "-n", &site.namespace, "-o", "wide"]).await.unwrap();
        for column in
            ["INSTANCE", "PHASE", "METHOD", "SIZE", "READY", "AGE", "BACKUPID", "JOBID", "STARTED", "DURATION", "EXPIRES", "REASON"]
        {
            assert!(table.contains(column), "{table}");
        }
        let waited = site
            .kubectl()
            .run(&["wait", "--for=condition=Ready", "rdsbackup/mysql", "-n", &site.namespace, "--timeout=10s"])
            .await
            .unwrap();
        assert!(waited.contains("condition met"), "{waited}");

        let metrics = operator.get("/metrics").await.unwrap().body;
        let succeeded = format!("rdsbackup_backups{{namespace=\"{}\",phase=\"Succeeded\"}} 5\n", site.namespace);
        assert!(metrics.contains(&succeeded), "{metrics}");
        assert!(metrics.contains(r#"action="CreateBackup",code="OK"} 5"#), "{metrics}");
        assert_eq!(operator.get("/healthz").await.unwrap().status, 200);
        assert!(operator.stop().await.unwrap().success());
        let lines = log_lines(operator.log());
        let transition = lines.iter().find(|line| line["name"] == "mysql" && line["phase"] == "Succeeded").expect("a line for the end");
        for field in ["uid", "instance", "job_id", "request_id", "namespace", "reason"] {
            assert!(transition[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {transition}");
        }
        let log = std::fs::read_to_string(operator.log()).unwrap();
        assert!(!log.contains("sandbox-secret") && !log.contains("Signature="), "no secret reaches the log");
    });
}

/// The whole conversation of one good backup with the API server, in order; 30 s of silence after its end, and 30 s after a restart.
#[test]
fn a_good_backup_costs_four_writes_and_nothing_at_rest() {
    at_site(|site| async move {
        // A user of its own, so that every request in the log is this operator's.
        let (kubeconfig, user) = site.account("operator").await;
        let start = || StartOperator { kubeconfig: Some(kubeconfig.clone()), ..StartOperator::default() };

        let mut operator = site.operator_with(start()).await;
        let instance = site.instance("rm-mysql");
        site.apply("good", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let end = site.until_phase("good", "Succeeded").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(operator.stop().await.unwrap().success());
        let calls = site.calls(&instance).len();
        let restarted_after = site.audit().len();
        let mut again = site.operator_with(start()).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(again.stop().await.unwrap().success());

        let log = site.audit();
        let mut writes = Vec::new();
        let mut after_restart = Vec::new();
        println!("every request of {user}:");
        for (number, event) in log.iter().enumerate().filter(|(_, event)| event.user == user) {
            let kind = event.write().map(|write| format!("{write:?}")).unwrap_or_default();
            println!("  {} {:5} {} {} {:?} {kind}", event.at, event.verb, event.code, event.uri, event.stage);
            // A stopped operator's watch is cut off; every other answer is one that its role allows.
            assert!(event.code < 400, "{} {} is {}", event.verb, event.uri, event.code);
            if event.write() == Some(Write::BackupStatus) {
                let uri = &event.uri;
                let body = event.request_body.as_ref().expect("a body");
                assert!(body["metadata"]["resourceVersion"].is_string(), "{uri} is conditional");
                writes.push(format!(
                    "{} cleared={}",
                    body["status"]["phase"].as_str().unwrap_or(""),
                    body["status"]["submission"]["cleared"]
                ));
            }
            assert_ne!(event.write(), Some(Write::Other));
            if number >= restarted_after && !event.watch {
                after_restart.push(format!("{} {}", event.verb, event.resource));
            }
        }
        assert_eq!(writes, ["Submitting cleared=false", "Submitting cleared=true", "Running cleared=true", "Succeeded cleared=true"]);
        after_restart.sort();
        assert_eq!(
            after_restart,
            [
                "get customresourcedefinitions",
                "get customresourcedefinitions",
                "get customresourcedefinitions",
                "get customresourcedefinitions",
                "get secrets",
                "list rdsbackups",
                "list rdsbackupschedules"
            ],
            "the generation and the schema of both CRDs, the access key, and the lists"
        );
        assert_eq!(site.get("good").await["metadata"]["resourceVersion"], end["metadata"]["resourceVersion"], "the object was not written");
        assert_eq!(site.calls(&instance).len(), calls, "the cloud was not asked");
    });
}

#[test]
fn the_failing_sample_says_what_to_do() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysqlcloud");
        site.apply("logical", json!({ "dbInstanceId": instance, "method": "Logical" })).await;
        let object = site.until_phase("logical", "Failed").await;
        assert_eq!(kstatus(&object), ("False".to_owned(), false, true));
        assert_eq!(condition(&object, "Ready")["reason"], "UnsupportedMethod");
        let words = message(&object);
        assert!(words.contains("MySQL on cloud disks") && words.contains("method: Snapshot"), "{words}");
        assert_eq!(site.creates(&instance).len(), 0, "what can be known before is not asked");
        let described = site.kubectl().run(&["describe", "rdsbackup", "logical", "-n", &site.namespace]).await.unwrap();
        println!("{described}");
        assert!(described.contains("method: Snapshot"));
    });
}

#[test]
fn a_refusal_that_could_not_be_known_before_is_final_too() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        let refused = Effect::ApiError {
            code: "InvalidBackupMethod.ValueNotSupport".into(),
            http_status: 400,
            message: "The specified parameter \"BackupMethod\" is not valid.".into(),
            executed: false,
        };
        site.rds().add_fault(Fault { action: Some("CreateBackup".into()), instance: Some(instance.clone()), times: None, effect: refused });
        // A logical backup needs a database, and the instance's attributes name none.
        site.apply("logical", json!({ "dbInstanceId": instance, "method": "Logical" })).await;
        let object = site.until_phase("logical", "Failed").await;
        assert_eq!(condition(&object, "Ready")["reason"], "UnsupportedMethod");
        let words = message(&object);
        assert!(words.contains("method: Logical needs at least one database"), "{words}");
        assert!(words.contains("InvalidBackupMethod.ValueNotSupport"), "{words}");
        assert_eq!(site.creates(&instance).len(), 1, "a request that can never succeed is not repeated");
    });
}
