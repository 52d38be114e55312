//! Bad input: a listed reason, the provider's code and request id where there are some, and a cure.

use std::{path::PathBuf, time::Duration};

use rds_backup_sandbox::{
    rds::{Effect, Fault, Garbage},
    world::{Operator, StartOperator},
};
use serde_json::{Value, json};

use crate::site::{Site, at_site, condition, kstatus, message};

/// A Secret of the operator's namespace that this site's operator may read, and an account that uses it.
async fn account_with_secret(site: &Site, name: &str) -> (String, String) {
    let secret = format!("{}-{name}", site.namespace);
    let kubectl = site.kubectl();
    let system = "rds-backup-system";
    let resource = format!("--resource-name={secret}");
    kubectl.run(&["create", "role", &secret, "-n", system, "--verb=get", "--resource=secrets", &resource]).await.unwrap();
    let role = format!("--role={secret}");
    let subject = format!("--serviceaccount={system}:rds-backup-operator");
    kubectl.run(&["create", "rolebinding", &secret, "-n", system, &role, &subject]).await.unwrap();
    let account = format!(
        "  {name}:\n    regionId: cn-hangzhou\n    endpoint: {}\n    credentials: {{ type: Secret, name: {secret} }}\n    allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n",
        site.rds().url()
    );
    (secret, account)
}

async fn create_secret(site: &Site, name: &str, id: &str, secret: &str) {
    let (id, secret) = (format!("--from-literal=accessKeyId={id}"), format!("--from-literal=accessKeySecret={secret}"));
    site.kubectl().run(&["create", "secret", "generic", name, "-n", "rds-backup-system", &id, &secret]).await.unwrap();
}

async fn config_with(site: &Site, accounts: &str) -> PathBuf {
    let text = site.world.operator_config(accounts);
    site.world.write_config(&format!("{}-accounts.yaml", site.namespace), &text).expect("a file")
}

#[test]
fn an_object_that_a_person_must_correct_is_stalled_with_one_reason_and_a_cure() {
    at_site(|site| async move {
        let (wrong_key, key_account) = account_with_secret(&site, "wrongkey").await;
        let (wrong_secret, secret_account) = account_with_secret(&site, "wrongsecret").await;
        let (half, half_account) = account_with_secret(&site, "half").await;
        create_secret(&site, &wrong_key, "unknown-key", "sandbox-secret").await;
        create_secret(&site, &wrong_secret, "sandbox-key", "not-the-secret").await;
        site.kubectl()
            .run(&["create", "secret", "generic", &half, "-n", "rds-backup-system", "--from-literal=accessKeyId=x"])
            .await
            .unwrap();
        let narrow = format!(
            "  narrow:\n    regionId: cn-hangzhou\n    endpoint: {}\n    credentials: {{ type: Secret, name: rds-access-key }}\n    allow: [{{ namespaces: [\"others-*\"], instances: [\"*\"], regions: [\"*\"] }}]\n",
            site.rds().url()
        );
        let forbidden = "  forbidden:\n    regionId: cn-hangzhou\n    credentials: { type: Secret, name: not-granted }\n    allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]\n";
        let regional = "  regional:\n    regionId: cn-hangzhou\n    credentials: { type: Secret, name: rds-access-key }\n    allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]\n";
        let accounts = [key_account.as_str(), &secret_account, &half_account, &narrow, forbidden, regional];
        let config = config_with(&site, &accounts.concat()).await;
        // Access keys are missing, and it is ready: it works for the other accounts.
        let operator = site.operator_with(StartOperator { config: Some(config), ..StartOperator::default() }).await;
        let ready = operator.get("/readyz").await.unwrap().body;
        assert_eq!(ready, "ok\n", "no Secret is named to everybody");

        let denied = site.instance("rm-mysql-denied");
        let message_of_ram = "User not authorized to operate on the specified resource.";
        let ram = |code: &str| Effect::ApiError { code: code.into(), http_status: 403, message: message_of_ram.into(), executed: false };
        site.rds().add_fault(Fault::on("CreateBackup", ram("Forbidden.RAM")).instance(&denied));
        let blind = site.instance("rm-mysql-blind");
        site.rds().add_fault(Fault::on("DescribeBackupTasks", ram("NoPermission")).instance(&blind));
        let mysql = site.instance("rm-mysql");

        let table: Vec<(&str, Value, &str, &str, Option<&str>)> = vec![
            (
                "no-account",
                json!({ "dbInstanceId": mysql, "account": "missing" }),
                "AccountNotFound",
                "is not in the operator's configuration. Correct",
                None,
            ),
            ("not-allowed", json!({ "dbInstanceId": mysql, "account": "narrow" }), "NotAllowed", "allow-list", None),
            (
                "no-region",
                json!({ "dbInstanceId": mysql, "account": "regional", "regionId": "cn-hangzou" }),
                "InvalidSpec",
                "the nearest are cn-hangzhou",
                None,
            ),
            (
                "no-instance",
                json!({ "dbInstanceId": site.instance("rm-nosuch") }),
                "InstanceNotFound",
                "Check dbInstanceId and regionId",
                Some("InvalidDBInstance"),
            ),
            (
                "wrong-key",
                json!({ "dbInstanceId": mysql, "account": "wrongkey" }),
                "InvalidCredentials",
                "Correct the access key id",
                Some("InvalidAccessKeyId.NotFound"),
            ),
            (
                "wrong-secret",
                json!({ "dbInstanceId": mysql, "account": "wrongsecret" }),
                "InvalidCredentials",
                "Correct the access key's secret",
                Some("SignatureDoesNotMatch"),
            ),
            ("half-a-secret", json!({ "dbInstanceId": mysql, "account": "half" }), "InvalidCredentials", "accessKeySecret", None),
            ("secret-not-granted", json!({ "dbInstanceId": mysql, "account": "forbidden" }), "AccessDenied", "get on that Secret", None),
            ("ram", json!({ "dbInstanceId": denied }), "AccessDenied", "rds:CreateBackup", Some("Forbidden.RAM")),
            ("ram-read", json!({ "dbInstanceId": blind }), "AccessDenied", "rds:DescribeBackupTasks", Some("NoPermission")),
        ];
        for (name, spec, ..) in &table {
            site.apply(name, spec.clone()).await;
        }
        for (name, _, reason, cure, code) in &table {
            let object = site.until_reason(name, reason).await;
            assert_eq!(object["status"]["phase"], "Pending", "{name}");
            assert_eq!(kstatus(&object), ("False".to_owned(), false, true), "{name}");
            let words = message(&object);
            println!("{name}: {reason}: {words}");
            assert!(words.contains(cure), "{name}: {words}");
            assert_eq!(condition(&object, "Stalled")["message"], words, "{name}");
            if let Some(code) = code {
                let error = &object["status"]["lastError"];
                let request = error["requestId"].as_str().expect("a request id");
                assert!(error["code"].as_str().unwrap_or("").starts_with(code), "{name}: {error}");
                assert!(words.contains(code) && words.contains(request), "{name}: {words}");
            }
            for secret in ["sandbox-secret", "not-the-secret", "unknown-key"] {
                assert!(!object["status"].to_string().contains(secret), "{name}: {:#}", object["status"]);
            }
        }
        assert_eq!(site.rds().accepted(&mysql), 0);

        // The service does not list the jobs of a read-only instance; the reason comes from the instance's attributes.
        let replica = site.instance("rm-readonly");
        site.apply("read-only", json!({ "dbInstanceId": replica, "method": "Physical" })).await;
        let object = site.until_phase("read-only", "Failed").await;
        assert_eq!(condition(&object, "Ready")["reason"], "UnsupportedMethod");
        assert!(message(&object).contains("create one for its primary"), "{}", message(&object));
        println!("read-only: {}", message(&object));
        let log = std::fs::read_to_string(operator.log()).unwrap();
        assert!(!log.contains("not-the-secret") && !log.contains("unknown-key"), "no key reaches the log");
    });
}

/// Waits until `/readyz?verbose` and the metrics say this. It is ready all the while.
async fn until_told(operator: &Operator, words: &str, metric: &str) {
    let began = std::time::Instant::now();
    loop {
        let (verbose, metrics) = (operator.get("/readyz?verbose").await.unwrap(), operator.get("/metrics").await.unwrap().body);
        assert_eq!(verbose.status, 200, "{}", verbose.body);
        if verbose.body.contains(words) && metrics.contains(metric) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{}\n{metrics}", verbose.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_missing_secret_is_waited_for() {
    at_site(|site| async move {
        let (secret, account) = account_with_secret(&site, "later").await;
        let config = config_with(&site, &account).await;
        let operator = site.operator_with(StartOperator { config: Some(config), ..StartOperator::default() }).await;
        let cure = format!(
            "account later: the Secret {secret} with the account's access key does not exist in namespace rds-backup-system. Create it"
        );
        until_told(&operator, &cure, "rdsbackup_credentials_usable{account=\"later\"} 0").await;
        let instance = site.instance("rm-mysql");
        site.apply("waits", json!({ "dbInstanceId": instance, "account": "later" })).await;
        let queued = site.until_reason("waits", "CredentialsNotFound").await;
        assert_eq!(queued["status"]["phase"], "Queued");
        assert!(message(&queued).contains(&secret) && message(&queued).contains("accessKeySecret"), "{}", message(&queued));
        create_secret(&site, &secret, "sandbox-key", "sandbox-secret").await;
        let created = std::time::Instant::now();
        site.until_phase("waits", "Succeeded").await;
        // The key is looked for every 6 s, and the object is looked at as soon as it is there, not at its next minute.
        assert!(created.elapsed() < Duration::from_secs(30), "{:?}", created.elapsed());
        assert_eq!(site.rds().accepted(&instance), 1);
        until_told(&operator, "ok\n", "rdsbackup_credentials_usable{account=\"later\"} 1").await;
    });
}

#[test]
fn an_endpoint_that_answers_nonsense_is_waited_for() {
    at_site(|site| async move {
        let mut operator = site.operator().await;
        let garbage = |body| Effect::Garbage { body, executed: false };
        let cases = [
            ("html", garbage(Garbage::Html)),
            ("truncated", garbage(Garbage::TruncatedJson)),
            ("huge", garbage(Garbage::Huge)),
            ("nested", garbage(Garbage::Nested)),
            ("unavailable", Effect::Status5xx { status: 503, executed: false }),
        ];
        for (name, effect) in &cases {
            let instance = site.instance(&format!("rm-mysql-{name}"));
            for action in ["DescribeDBInstanceAttribute", "DescribeBackupTasks", "DescribeBackups"] {
                site.rds().add_fault(Fault::on(action, effect.clone()).instance(&instance).times(1));
            }
            site.apply(name, json!({ "dbInstanceId": instance })).await;
        }
        let troubled = site.until_reason("html", "ServiceUnavailable").await;
        assert!(message(&troubled).contains("no answer that can be used (status 200 with"), "{}", message(&troubled));
        assert!(!message(&troubled).contains('<'), "the page itself is not shown");
        for (name, _) in &cases {
            site.until_phase(name, "Succeeded").await;
            assert_eq!(site.creates(&site.instance(&format!("rm-mysql-{name}"))).len(), 1, "{name}");
        }
        assert!(operator.ended_already().unwrap().is_none());
    });
}

#[test]
fn throttling_is_waited_out_at_the_pace_that_the_service_names() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::Throttle { retry_after_ms: Some(4000) }).instance(&instance).times(1));
        site.apply("throttled", json!({ "dbInstanceId": instance })).await;
        let queued = site.until_reason("throttled", "Throttled").await;
        assert_eq!(queued["status"]["phase"], "Queued");
        site.until_phase("throttled", "Succeeded").await;
        let creates = site.creates(&instance);
        assert_eq!(creates.len(), 2);
        assert!(creates[1].time.duration_since(creates[0].time) >= Duration::from_secs(4).try_into().unwrap());
        assert_eq!(site.rds().accepted(&instance), 1);
    });
}

#[test]
fn paused_submissions_wait_and_go_on_when_they_are_enabled() {
    at_site(|site| async move {
        let instance = site.instance("rm-mysql");
        let mut paused = site.operator_configured(&[("submissions: Enabled", "submissions: Paused")]).await;
        site.apply("paused", json!({ "dbInstanceId": instance })).await;
        site.until_reason("paused", "SubmissionsPaused").await;
        paused.stop().await.unwrap();
        assert!(site.calls(&instance).is_empty());
        let _enabled = site.operator().await;
        site.until_phase("paused", "Succeeded").await;
    });
}

#[test]
fn credentials_can_come_from_the_environment() {
    at_site(|site| async move {
        let config = site.config(&[("{ type: Secret, name: rds-access-key }", "{ type: Auto }")]);
        let instance = site.instance("rm-mysql");
        let mut without = site.start(StartOperator { config: Some(config.clone()), ..StartOperator::default() });
        without.wait_ready(Duration::from_secs(30)).await.unwrap_or_else(|error| panic!("{error}"));
        let lacks = "account default: Auto: there is no key. The operator's environment has no ALIBABA_CLOUD_ACCESS_KEY_ID";
        until_told(&without, lacks, "rdsbackup_credentials_usable{account=\"default\"} 0").await;
        site.apply("auto", json!({ "dbInstanceId": instance })).await;
        let stalled = site.until_reason("auto", "CredentialsNotFound").await;
        assert!(message(&stalled).contains("ALIBABA_CLOUD_ACCESS_KEY_ID"), "{}", message(&stalled));
        without.stop().await.unwrap();
        let env = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-key"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-secret")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let _with = site.operator_with(StartOperator { config: Some(config), env, ..StartOperator::default() }).await;
        site.until_phase("auto", "Succeeded").await;
    });
}
