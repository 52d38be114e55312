//! Two teams that share an operator: what each may reach, by the call logs of the simulated RDS and STS, in a world of its own.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rds_backup_sandbox::{
    rds::Key,
    sts::{Options, Role, Sts, Trust},
    world::{NAMESPACE, Operator, StartOperator, World},
};
use serde_json::{Value, json};

use crate::{
    environment::{condition, world_options},
    rights,
    site::{RunningTest, message},
};

const PATIENCE: Duration = Duration::from_secs(180);

/// What the operator knows of the labels of a Namespace is at most 10 s old.
const LABELS_SEEN: Duration = Duration::from_secs(11);

/// A key that was read is used for at most 60 s.
const KEY_FORGOTTEN: Duration = Duration::from_secs(61);

const ROLE: &str = "acs:ram::6543210987654321:role/team-a";

struct Teams {
    world: World,
    sts: Sts,
    operator: Operator,
}

impl Teams {
    async fn new() -> Self {
        let world = World::start(world_options()).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
        for namespace in ["team-a", "team-b"] {
            world.kubectl().run(&["create", "namespace", namespace]).await.unwrap();
        }
        rights::narrow(&world).await;
        // The Role that the chart makes for the Secrets of tenants.
        let own = r#"{"regionId":"cn-hangzhou","credentials":{"type":"TenantSecret","name":"rds-key"},"allow":[]}"#;
        rights::grant_with(&world, "team-a,team-b", &[&format!("--set-json=accounts.own={own}")]).await;
        let trust = Trust::Principal { principal: "sandbox-key".to_owned(), external_id: None };
        let options = Options {
            roles: vec![Role::new(ROLE, vec![trust])],
            keys: vec![Key::new("sandbox-key", "sandbox-secret")],
            on_issue: Some(Box::new(world.rds.key_sink())),
            ..Options::default()
        };
        let sts = Sts::start(options).await.expect("STS");
        let config = world.write_config("teams.yaml", &configuration(&world, &sts)).expect("a file");
        let args = ["team-a", "team-b"].map(|namespace| format!("--watch-namespace={namespace}")).to_vec();
        let start = StartOperator { args, config: Some(config), ..StartOperator::default() };
        let mut operator = world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));
        operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));
        Self { world, sts, operator }
    }

    async fn apply(&self, object: Value) {
        let text = object.to_string();
        self.world.kubectl().run_with_input(&["apply", "-f", "-"], &text).await.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn secret(&self, namespace: &str, id: &str, secret: &str) {
        let data = json!({ "accessKeyId": id, "accessKeySecret": secret });
        let metadata = json!({ "name": "rds-key", "namespace": namespace });
        self.apply(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data })).await;
    }

    async fn backup(&self, namespace: &str, name: &str, account: &str, instance: &str) {
        self.apply(backup(namespace, name, &json!({ "account": account, "dbInstanceId": instance }))).await;
    }

    async fn until(&self, namespace: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let object = self.world.kubectl().json(&["get", "rdsb", name, "-n", namespace]).await.unwrap_or_else(|error| panic!("{error}"));
            if wanted(&object) {
                return object;
            }
            assert!(began.elapsed() < PATIENCE, "{name} is not {what}: {:#}\n{}", object["status"], self.operator.log_tail());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn until_reason(&self, namespace: &str, name: &str, reason: &str) -> Value {
        self.until(namespace, name, reason, |object| condition(object, "Ready")["reason"] == reason).await
    }

    async fn until_succeeded(&self, namespace: &str, name: &str) {
        self.until(namespace, name, "Succeeded", |object| object["status"]["phase"] == "Succeeded").await;
    }

    /// The keys that signed the calls about the instances that begin so.
    fn keys(&self, prefix: &str) -> BTreeSet<String> {
        let calls = self.world.rds.calls().into_iter().filter(|call| call.instance.starts_with(prefix));
        calls.map(|call| call.access_key_id).collect()
    }

    fn calls(&self, instance: &str) -> usize {
        self.world.rds.calls().iter().filter(|call| call.instance == instance).count()
    }

    async fn usable(&self, namespace: &str) -> Option<String> {
        let metrics = self.operator.get("/metrics").await.expect("an answer").body;
        let series = format!("rdsbackup_credentials_usable{{account=\"own\",namespace=\"{namespace}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned))
    }
}

fn backup(namespace: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": metadata, "spec": spec })
}

/// Accounts with rules for both teams, for one, for namespaces with a label, and for nobody.
fn configuration(world: &World, sts: &Sts) -> String {
    const EVERYTHING: &str = r#"[{ namespaces: ["*"], instances: ["*"], regions: ["*"] }]"#;
    const CREDENTIALS: &str = "{ type: Secret, name: rds-access-key }";
    let text = world.operator_config("");
    let (head, account) = text.split_once("  default:\n").expect("the account default");
    let of_a = r#"{ namespaces: [team-a], instances: ["rm-mysql-a*"], regions: [cn-hangzhou] }"#;
    let of_b = r#"{ namespaces: [team-b], instances: ["rm-mysql-b*"], regions: [cn-hangzhou] }"#;
    let labelled = r#"{ namespaceSelector: { matchLabels: { backups: gold } }, instances: ["rm-mysql-l*"], regions: ["*"] }"#;
    let account = |name: &str, credentials: &str, rules: &str| {
        assert!(account.contains(EVERYTHING) && account.contains(CREDENTIALS), "{account}");
        format!("  {name}:\n{}", account.replace(EVERYTHING, &format!("[{rules}]")).replace(CREDENTIALS, credentials))
    };
    let accounts = [
        account("shared", CREDENTIALS, &format!("{of_a}, {of_b}")),
        account("own", "{ type: TenantSecret, name: rds-key }", &format!("{of_a}, {of_b}")),
        account("only-a", CREDENTIALS, of_a),
        account("labelled", CREDENTIALS, labelled),
        account("hub", CREDENTIALS, ""),
        account("role", &format!("{{ type: AssumeRole, roleArn: '{ROLE}', from: hub }}\n    stsEndpoint: {}", sts.url()), of_a),
    ];
    format!("{head}{}", accounts.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_of_one_operator_reach_nothing_of_each_other() {
    let _running = RunningTest::begin();
    let teams = Teams::new().await;
    let add_key = teams.world.rds.key_sink();
    for id in ["a", "b", "b-2"] {
        add_key(Key::new(&format!("key-of-{id}"), &format!("secret-of-{id}")));
    }
    // One of the same name in the operator's namespace, with a key that works: it is nobody's.
    teams.secret(NAMESPACE, "sandbox-key", "sandbox-secret").await;

    // Each with its own key.
    teams.secret("team-a", "key-of-a", "secret-of-a").await;
    teams.backup("team-a", "own", "own", "rm-mysql-a1").await;
    teams.backup("team-b", "own", "own", "rm-mysql-b1").await;
    teams.until_succeeded("team-a", "own").await;
    let missing = teams.until_reason("team-b", "own", "CredentialsNotFound").await;
    let told = message(&missing);
    assert!(told.contains("rds-key") && told.contains("namespace team-b") && told.contains("accessKeyId"), "{told}");
    assert_eq!((teams.calls("rm-mysql-b1"), &missing["status"]["phase"]), (0, &json!("Queued")));
    assert_eq!((teams.usable("team-a").await.as_deref(), teams.usable("team-b").await.as_deref()), (Some("1"), Some("0")));
    teams.secret("team-b", "key of b", "secret-of-b").await;
    let malformed = teams.until_reason("team-b", "own", "InvalidCredentials").await;
    assert!(message(&malformed).contains("no usable key accessKeyId"), "{}", message(&malformed));
    assert_eq!(teams.calls("rm-mysql-b1"), 0);
    teams.secret("team-b", "key-of-b", "secret-of-b").await;
    teams.until_succeeded("team-b", "own").await;
    assert_eq!(teams.keys("rm-mysql-a"), BTreeSet::from(["key-of-a".to_owned()]));
    assert_eq!(teams.keys("rm-mysql-b"), BTreeSet::from(["key-of-b".to_owned()]));
    // The key is swapped: the old one is refused, and the new one is read at once.
    teams.world.rds.set_keys(["sandbox-key", "key-of-a", "key-of-b-2"].map(|id| Key::new(id, &secret_of(id))).to_vec());
    teams.secret("team-b", "key-of-b-2", "secret-of-b-2").await;
    teams.backup("team-b", "swapped", "own", "rm-mysql-b2").await;
    teams.until_succeeded("team-b", "swapped").await;
    assert_eq!(teams.usable("team-b").await.as_deref(), Some("1"));
    // It is removed: while it is forgotten, each attempt to reach what is the other team's.
    teams.world.kubectl().run(&["delete", "secret", "rds-key", "-n", "team-b"]).await.unwrap();
    let removed = Instant::now();
    attempts(&teams).await;
    tokio::time::sleep(KEY_FORGOTTEN.saturating_sub(removed.elapsed())).await;
    teams.backup("team-b", "removed", "own", "rm-mysql-b3").await;
    teams.until_reason("team-b", "removed", "CredentialsNotFound").await;
    assert_eq!((teams.calls("rm-mysql-b3"), teams.usable("team-b").await.as_deref()), (0, Some("0")));
    let ready = teams.operator.get("/readyz?verbose").await.expect("an answer").body;
    assert!(ready.starts_with("ok\n") && ready.contains("account own for namespace team-b: "), "{ready}");
    assert!(!teams.keys("rm-mysql-b").contains("sandbox-key"), "the operator's own key is never used in place of a tenant's");

    labels(&teams).await;
}

fn secret_of(id: &str) -> String {
    if id == "sandbox-key" { "sandbox-secret".to_owned() } else { id.replacen("key", "secret", 1) }
}

/// What team-b tries: account, instance, region, and the reason that it gets. The call logs of RDS and STS stand still.
async fn attempts(teams: &Teams) {
    let tries = [
        ("the other's instance with the shared account", "shared", "rm-mysql-a1", None, "NotAllowed"),
        ("an instance that is nobody's", "shared", "rm-mysql-c1", None, "NotAllowed"),
        ("the other's instance with the account of tenants' keys", "own", "rm-mysql-a1", None, "NotAllowed"),
        ("the other's account", "only-a", "rm-mysql-b1", None, "NotAllowed"),
        ("the other's account and instance", "only-a", "rm-mysql-a1", None, "NotAllowed"),
        ("the other's role", "role", "rm-mysql-b1", None, "NotAllowed"),
        ("the other's role and instance", "role", "rm-mysql-a1", None, "NotAllowed"),
        ("the account that only lends its key", "hub", "rm-mysql-b1", None, "NotAllowed"),
        ("an account of namespaces with a label", "labelled", "rm-mysql-l1", None, "NotAllowed"),
        ("another region", "shared", "rm-mysql-b1", Some("cn-beijing"), "NotAllowed"),
        ("another region with the account of tenants' keys", "own", "rm-mysql-b1", Some("ap-southeast-1"), "NotAllowed"),
        ("an account that is not there", "shared2", "rm-mysql-b1", None, "AccountNotFound"),
        ("the name of a Secret as an account", "rds-key", "rm-mysql-b1", None, "AccountNotFound"),
        ("the other namespace in the name of an account", "team-a/own", "rm-mysql-a1", None, "AccountNotFound"),
    ];
    let before = (teams.world.rds.calls().len(), teams.sts.calls().len());
    for (number, (_, account, instance, region, _)) in tries.iter().enumerate() {
        let mut spec = json!({ "account": account, "dbInstanceId": instance });
        if let Some(region) = region {
            spec["regionId"] = json!(region);
        }
        teams.apply(backup("team-b", &format!("try-{number}"), &spec)).await;
    }
    // A schedule, which makes the backup for it.
    let template = json!({ "spec": { "account": "shared", "dbInstanceId": "rm-mysql-a1" } });
    let metadata = json!({ "name": "every", "namespace": "team-b" });
    let spec = json!({ "schedule": "@yearly", "runOnCreate": true, "template": template });
    teams.apply(json!({ "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": metadata, "spec": spec })).await;
    for (number, (what, _, _, _, reason)) in tries.iter().enumerate() {
        let refused = teams.until_reason("team-b", &format!("try-{number}"), reason).await;
        println!("team-b tries {what}: {reason}: {}", message(&refused));
        assert_eq!(condition(&refused, "Stalled")["status"], "True", "{what}");
    }
    let began = Instant::now();
    let child = loop {
        let list = teams.world.kubectl().json(&["get", "rdsb", "-n", "team-b"]).await.unwrap_or_else(|error| panic!("{error}"));
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let of_schedule = |item: &Value| item["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("every-"));
        if let Some(child) = items.into_iter().find(|item| of_schedule(item) && condition(item, "Ready")["reason"] == "NotAllowed") {
            break child;
        }
        assert!(began.elapsed() < PATIENCE, "the schedule's backup is not refused\n{}", teams.operator.log_tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    println!("team-b tries the other's instance by a schedule: NotAllowed: {}", message(&child));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = (teams.world.rds.calls().len(), teams.sts.calls().len());
    println!("{} attempts; calls at RDS and STS before and after: {before:?}, {after:?}", tries.len() + 1);
    assert_eq!(before, after, "nothing was sent");
    assert!(before.1 > 0, "STS serves this operator: the check of the keys at its start asked there");
    assert_eq!(teams.keys("rm-mysql-a"), BTreeSet::from(["key-of-a".to_owned()]));
}

/// A label of the Namespace opens an account, and closes it again.
async fn labels(teams: &Teams) {
    let kubectl = teams.world.kubectl();
    teams.backup("team-b", "labelled", "labelled", "rm-mysql-l1").await;
    teams.until_reason("team-b", "labelled", "NotAllowed").await;
    kubectl.run(&["label", "namespace", "team-b", "backups=gold"]).await.unwrap();
    tokio::time::sleep(LABELS_SEEN).await;
    // Whoever does not wait for the next look touches the object.
    kubectl.run(&["annotate", "rdsbackup", "labelled", "-n", "team-b", "touched=1"]).await.unwrap();
    teams.until_succeeded("team-b", "labelled").await;
    kubectl.run(&["label", "namespace", "team-b", "backups=silver", "--overwrite"]).await.unwrap();
    tokio::time::sleep(LABELS_SEEN).await;
    teams.backup("team-b", "closed", "labelled", "rm-mysql-l2").await;
    let refused = teams.until_reason("team-b", "closed", "NotAllowed").await;
    assert!(message(&refused).contains("does not allow namespace \"team-b\""), "{}", message(&refused));
    assert_eq!(teams.calls("rm-mysql-l2"), 0);
    // Without the right to read the Namespace nothing is known of its labels, and nothing is sent.
    kubectl.run(&["label", "namespace", "team-b", "backups=gold", "--overwrite"]).await.unwrap();
    let bindings = kubectl.json(&["get", "clusterrolebindings"]).await.unwrap_or_else(|error| panic!("{error}"));
    for binding in bindings["items"].as_array().into_iter().flatten() {
        let name = binding["metadata"]["name"].as_str().unwrap_or_default();
        if name.ends_with("-scope") || name.starts_with("namespaces-of-") {
            kubectl.run(&["delete", "clusterrolebinding", name]).await.unwrap();
        }
    }
    tokio::time::sleep(LABELS_SEEN).await;
    teams.backup("team-b", "unread", "labelled", "rm-mysql-l3").await;
    let unread = |object: &Value| message(object).contains("cannot be read: the operator may not get the Namespace");
    let refused = teams.until("team-b", "unread", "refused for labels that cannot be read", unread).await;
    assert_eq!(condition(&refused, "Ready")["reason"], "NotAllowed");
    assert_eq!(teams.calls("rm-mysql-l3"), 0);
}
