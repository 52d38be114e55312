//! Hostile objects against the real API server: with the CRD's rules, and once more without them, so that the operator itself has to refuse. In
//! a world of its own, whose endpoint must see no request, but for those few that do no harm and are named here.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use http::Request;
use rds_backup_sandbox::world::{Operator, StartOperator, World};
use serde_json::{Value, json};

use crate::{
    environment::{condition, world_options},
    rights,
    site::RunningTest,
};

const PATIENCE: Duration = Duration::from_secs(240);
const NAMESPACE: &str = "hostile";

/// An instance that is allowed.
const GOOD: &str = "rm-mysql-good";

/// One object: what is hostile about it, its plural, and the object without a name, unless that is what is hostile.
struct Input {
    what: String,
    plural: &'static str,
    object: Value,
    without_rules: Harm,
}

/// What may leave for an object that only the CRD's rules refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// Nothing: the operator refuses it too.
    None,
    /// Reads. No instance has this id, but it has the letters of one: only the service can know, and it says so.
    Reads,
    /// A backup, of the instance that it names and may name: the number is taken for the nearest that is allowed.
    Backup,
}

/// What became of one.
enum Got {
    /// The API server refused it, with this message.
    Refused(String),
    /// It took it under this name.
    Taken(String),
}

fn backup(what: &str, change: impl FnOnce(&mut Value)) -> Input {
    let mut object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "namespace": NAMESPACE },
        "spec": { "dbInstanceId": GOOD, "method": "Physical" },
    });
    change(&mut object);
    Input { what: what.to_owned(), plural: "rdsbackups", object, without_rules: Harm::None }
}

fn schedule(what: &str, change: impl FnOnce(&mut Value)) -> Input {
    let mut object = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "namespace": NAMESPACE },
        "spec": { "schedule": "* * * * *", "template": { "spec": { "dbInstanceId": GOOD, "method": "Physical" } } },
    });
    change(&mut object);
    Input { what: format!("schedule, {what}"), plural: "rdsbackupschedules", object, without_rules: Harm::None }
}

/// A field of the spec with hostile values.
fn field(inputs: &mut Vec<Input>, name: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        let shown: String = value.to_string().chars().take(60).collect();
        inputs.push(backup(&format!("{name}: {shown}"), |object| object["spec"][name] = value));
    }
}

/// As `field`, where the operator alone lets something leave.
fn harmless(inputs: &mut Vec<Input>, harm: Harm, name: &str, values: impl IntoIterator<Item = Value>) {
    let before = inputs.len();
    field(inputs, name, values);
    inputs[before..].iter_mut().for_each(|input| input.without_rules = harm);
}

/// Texts that mean something to a shell, a path, a URL, a header, a query, a template or an eye.
fn texts() -> Vec<String> {
    let short = [
        "../rm-mysql-good",
        "rm-mysql-good/../rm-mysql-other",
        "rm-mysql-good\n",
        "rm-mysql-good\nrm-mysql-other",
        "rm-mysql-good\r\nHost: evil.example",
        "rm-mysql-good\u{0}",
        "rm-mysql-good\t",
        "r\u{43c}-mysql-good",
        "rm\u{2010}mysql-good",
        "\u{ff52}m-mysql-good",
        "rm-mysql-good\u{200b}",
        "\u{202e}doog-lqsym-mr",
        "*",
        "rm-*",
        "rm-mysql-good,rm-mysql-other",
        "rm-mysql-good&Action=DeleteBackup",
        "rm-mysql-good%26Action%3DDeleteBackup",
        "rm-mysql-good?RegionId=cn-beijing",
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/",
        "${HOME}",
        "$(id)",
        "{{ .Values.accounts }}",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "",
        " ",
    ];
    short.iter().map(|text| (*text).to_owned()).collect()
}

fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    field(&mut inputs, "dbInstanceId", texts().into_iter().map(Value::from));
    field(&mut inputs, "dbInstanceId", ["x".repeat(65), "x".repeat(100_000)].map(Value::from));
    harmless(&mut inputs, Harm::Reads, "dbInstanceId", [json!("RM-MYSQL-GOOD")]);
    field(&mut inputs, "dbInstanceId", [json!(1), json!(true), Value::Null, json!(["rm-mysql-good"]), json!({ "rm-mysql-good": 1 })]);
    let regions = [
        "hangzhou",
        "cn-hangzhou/../cn-beijing",
        "cn-hangzhou.evil.example",
        "cn-hangzhou@evil.example",
        "cn-hangzhou:443",
        "cn-hangzhou\n",
        "cn-hangzhou\u{0}",
        "cn-h\u{430}ngzhou",
        "CN-HANGZHOU",
        "cn-*",
        "*",
        "",
        "https://rds.evil.example",
        "cn-beijing",
        "ap-southeast-1",
        "cn-made-up-9",
    ];
    field(&mut inputs, "regionId", regions.map(Value::from));
    field(&mut inputs, "regionId", [json!("cn-".to_owned() + &"x".repeat(5000)), json!(["cn-hangzhou"])]);
    let accounts =
        ["../default", "default/../hub", "Default", "default ", "default\n", "default\u{0}", "defau1t", "d\u{435}fault", "*", "", "hub"];
    field(&mut inputs, "account", accounts.map(Value::from));
    field(&mut inputs, "account", [json!("d".repeat(64)), json!("d".repeat(10_000)), json!(7), json!({ "name": "default" })]);
    field(&mut inputs, "method", ["Magic", "physical", "Physical\n", "*", ""].map(Value::from));
    field(&mut inputs, "type", ["auto", "Incremental"].map(Value::from));
    field(&mut inputs, "strategy", ["DB", "all", "db"].map(Value::from));
    for databases in [json!(["a,b"]), json!([""]), json!(["a\nb"]), json!(["*\u{0}"]), json!([]), json!(["x".repeat(200)]), json!("orders")]
    {
        let shown: String = databases.to_string().chars().take(40).collect();
        inputs.push(backup(&format!("databases: {shown}"), |object| {
            object["spec"] = json!({ "dbInstanceId": GOOD, "method": "Logical", "strategy": "db", "databases": databases });
        }));
    }
    let numbers =
        [json!(-2), json!(0), json!(6), json!(731), json!(2_147_483_648_i64), json!(i64::MAX), json!(1e300), json!(7.5), json!("30")];
    field(&mut inputs, "retentionDays", numbers);
    field(&mut inputs, "resourceGroupId", [json!("../rg-1"), json!("rg-1&Action=DeleteBackup"), json!("r".repeat(1000)), json!("rg\n1")]);
    for name in ["queueTimeout", "timeout"] {
        let times = ["-5m", "0s", "soon", "1d", "1h\n", "\u{ff19}m", "1e9h", "99999999999999999999h", "PT1H", ""];
        field(&mut inputs, name, times.map(Value::from));
    }
    harmless(&mut inputs, Harm::Backup, "retry", [json!({ "limit": -1 }), json!({ "limit": 11 })]);
    field(&mut inputs, "retry", [json!({ "limit": 1, "backoff": "0s" }), json!(3)]);
    field(&mut inputs, "notAfter", [json!("yesterday"), json!("2026-13-01T00:00:00Z"), json!("1999-01-01T00:00:00Z"), json!(5)]);
    // Fields that nobody has, and would be more than a tenant may say.
    for (name, value) in [
        ("endpoint", json!("https://evil.example")),
        ("proxy", json!({ "url": "http://evil.example" })),
        ("credentials", json!({ "type": "Secret", "name": "rds-access-key" })),
        ("accessKeyId", json!("LTAI")),
        ("roleArn", json!("acs:ram::1:role/admin")),
        ("schedule", json!("* * * * *")),
        ("namespace", json!("team-a")),
    ] {
        inputs.push(backup(&format!("a field of its own: {name}"), |object| object["spec"][name] = value));
    }
    metadata(&mut inputs);
    schedules(&mut inputs);
    inputs
}

/// What is hostile is beside the spec. The instance is in a region that is not allowed, so that nothing may be sent for it.
fn metadata(inputs: &mut Vec<Input>) {
    let mut of = |what: &str, change: &dyn Fn(&mut Value)| {
        inputs.push(backup(what, |object| {
            object["spec"]["regionId"] = json!("cn-beijing");
            change(object);
        }));
    };
    for name in ["../x", "X", "a_b", "a\n", "a\u{0}", "\u{430}", "-a"] {
        of(&format!("name {name:?}"), &|object| object["metadata"]["name"] = json!(name));
    }
    of("a name of 300 letters", &|object| object["metadata"]["name"] = json!("x".repeat(300)));
    of("another namespace than that of the request", &|object| object["metadata"]["namespace"] = json!("kube-system"));
    of("a label with a blank", &|object| object["metadata"]["labels"] = json!({ "a b": "c" }));
    of("a label with a path", &|object| object["metadata"]["labels"] = json!({ "a": "../../b" }));
    of("300 KiB of annotations", &|object| object["metadata"]["annotations"] = json!({ "a": "x".repeat(300 << 10) }));
    for (key, value) in [
        ("rdsbackup.io/endpoint", "https://evil.example"),
        ("rdsbackup.io/account", "hub"),
        ("rdsbackup.io/regionId", "cn-hangzhou"),
        ("rdsbackup.io/allow", "*"),
        ("rdsbackup.io/schedule", "* * * * *"),
        ("rdsbackup.io/submissions", "Enabled"),
        ("text", "\u{0}\n\u{202e}${HOME}"),
    ] {
        of(&format!("annotation {key}"), &|object| object["metadata"]["annotations"] = json!({ key: value }));
    }
    for key in ["rdsbackup.io/schedule-name", "rdsbackup.io/schedule-uid", "kubernetes.io/metadata.name"] {
        of(&format!("label {key} of another's"), &|object| object["metadata"]["labels"] = json!({ key: "team-a" }));
    }
    of("a status that says it succeeded", &|object| object["status"] = json!({ "phase": "Succeeded", "backupJobId": "1" }));
    of("finalizers of another's", &|object| object["metadata"]["finalizers"] = json!(["evil.example/stay"]));
}

fn schedules(inputs: &mut Vec<Input>) {
    let lines = [
        "* * * * * *",
        "@every 1s",
        "TZ=UTC * * * * *",
        "* * * * *\n* * * * *",
        "*/0 * * * *",
        "60 * * * *",
        "0 0 30 2 *",
        "?",
        "",
        "$(id)",
        "\u{ff0a} * * * *",
        "99999999999999999999 * * * *",
    ];
    for line in lines {
        inputs.push(schedule(&format!("schedule {line:?}"), |object| object["spec"]["schedule"] = json!(line)));
    }
    for zone in ["../../etc/passwd", "/etc/passwd", "Local", "Asia/Shanghai\u{0}", "Nowhere/Land", ""] {
        inputs.push(schedule(&format!("timeZone {zone:?}"), |object| object["spec"]["timeZone"] = json!(zone)));
    }
    inputs.push(schedule("a name of 60 letters", |object| object["metadata"]["name"] = json!("s".repeat(60))));
    inputs.push(schedule("a schedule in the template", |object| object["spec"]["template"]["spec"]["schedule"] = json!("* * * * *")));
    inputs.push(schedule("another kind in the template", |object| object["spec"]["template"]["kind"] = json!("Secret")));
    inputs.push(schedule("a namespace in the template", |object| {
        object["spec"]["template"]["metadata"] = json!({ "namespace": "kube-system" });
    }));
    for instance in ["../rm-mysql-good", "rm-mysql-good\n", "*", "rm-mysql-good&Action=DeleteBackup"] {
        inputs.push(schedule(&format!("instance {instance:?}"), |object| {
            object["spec"]["template"]["spec"]["dbInstanceId"] = json!(instance);
        }));
    }
}

/// Posts them, each as the API server gets it: no client checks it before.
async fn post(world: &World, round: u32, inputs: &[&Input]) -> Vec<Got> {
    let client = world.reader().client();
    let mut got = Vec::with_capacity(inputs.len());
    for (number, Input { plural, object, .. }) in inputs.iter().enumerate() {
        let mut object = object.clone();
        let named = object["metadata"]["name"].as_str().map(str::to_owned);
        let name = named.unwrap_or_else(|| format!("r{round}-{number}"));
        object["metadata"]["name"] = json!(name);
        // Each has an instance of its own, so that none waits for another.
        for at in ["/spec/dbInstanceId", "/spec/template/spec/dbInstanceId"] {
            if let Some(instance) = object.pointer_mut(at).filter(|instance| **instance == GOOD) {
                *instance = json!(format!("{GOOD}-{round}-{number}"));
            }
        }
        let path = format!("/apis/rdsbackup.io/v1alpha1/namespaces/{NAMESPACE}/{plural}?fieldValidation=Strict");
        let request = Request::post(path).header("content-type", "application/json").body(object.to_string().into_bytes());
        let posted = tokio::time::timeout(PATIENCE, client.request::<Value>(request.expect("a request"))).await;
        got.push(match posted.unwrap_or_else(|_| panic!("no answer to {name}")) {
            Ok(_) => Got::Taken(name),
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) => Got::Refused(status.message.chars().take(300).collect()),
            Err(error) => panic!("the API server did not judge {name}: {error}"),
        });
    }
    got
}

/// Waits until the operator has refused each object that stands, or has ended what it may send for it, and says what each got. One that cannot
/// be read at all is named in the log.
async fn verdicts(world: &World, operator: &Operator, names: &[(String, &Input)]) -> Vec<String> {
    let began = Instant::now();
    loop {
        let mut objects = BTreeMap::new();
        for plural in ["rdsbackups", "rdsbackupschedules"] {
            for item in world.reader().objects(plural, NAMESPACE).await.unwrap_or_else(|error| panic!("{error}")) {
                objects.insert((plural, item["metadata"]["name"].as_str().unwrap_or_default().to_owned()), item);
            }
        }
        let log = std::fs::read_to_string(operator.log()).unwrap_or_default();
        let verdict = |(name, input): &(String, &Input)| {
            let object = objects.get(&(input.plural, name.clone()))?;
            let ready = condition(object, "Ready");
            let is_backed_up = input.without_rules == Harm::Backup && object["status"]["phase"] == "Succeeded";
            if is_backed_up || condition(object, "Stalled")["status"] == "True" {
                return Some(format!("{}: {}", ready["reason"].as_str()?, ready["message"].as_str()?));
            }
            let unread =
                |line: &str| line.contains(&format!("\"name\":\"{name}\"")) && line.contains("cannot be read, so the operator leaves");
            log.lines().any(unread).then(|| "left as it is: the log names it as an object that cannot be read".to_owned())
        };
        let verdicts: Vec<Option<String>> = names.iter().map(verdict).collect();
        let open: Vec<String> = names
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_none())
            .map(|((name, input), _)| format!("{name} ({})", input.what))
            .collect();
        if open.is_empty() {
            return verdicts.into_iter().flatten().collect();
        }
        assert!(began.elapsed() < PATIENCE, "{} are not refused:\n{}\n{}", open.len(), open.join("\n"), operator.log_tail());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Takes every rule out of the CRDs that is more than a type.
async fn without_rules(world: &World) {
    const RULES: [&str; 11] = [
        "x-kubernetes-validations",
        "pattern",
        "enum",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "required",
    ];
    fn strip(schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                // A property may have the name of a rule: its value is an object, and that of a rule is not, but for none of these.
                fields.retain(|name, value| !RULES.contains(&name.as_str()) || value.is_object());
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let kubectl = world.kubectl();
    for name in ["rdsbackups.rdsbackup.io", "rdsbackupschedules.rdsbackup.io"] {
        let mut crd = kubectl.json(&["get", "crd", name]).await.unwrap_or_else(|error| panic!("{error}"));
        let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let rules = schema.as_object_mut().expect("a schema");
        rules.remove("x-kubernetes-validations");
        strip(&mut schema["properties"]["spec"]);
        kubectl.run_with_input(&["replace", "-f", "-"], &crd.to_string()).await.unwrap_or_else(|error| panic!("{error}"));
    }
    // The API server takes the new rules up within seconds.
    let probe = backup("probe", |object| object["spec"] = json!({ "dbInstanceId": "*", "regionId": "cn-beijing" }));
    let began = Instant::now();
    while let Got::Refused(why) = &post(world, 0, &[&probe]).await[0] {
        assert!(began.elapsed() < PATIENCE, "the rules are still there: {why}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Posts them and waits for the verdicts, all printed: those that stand, with their names, and what each got.
async fn judged<'a>(world: &World, operator: &Operator, round: u32, inputs: &[&'a Input]) -> (Vec<(String, &'a Input)>, Vec<Got>) {
    let got = post(world, round, inputs).await;
    let names: Vec<(String, &Input)> = inputs
        .iter()
        .zip(&got)
        .filter_map(|(input, got)| match got {
            Got::Taken(name) => Some((name.clone(), *input)),
            Got::Refused(_) => None,
        })
        .collect();
    let verdicts = verdicts(world, operator, &names).await;
    for ((_, input), verdict) in names.iter().zip(&verdicts) {
        println!("{round} the operator   {}: {verdict}", input.what);
    }
    for (input, got) in inputs.iter().zip(&got) {
        if let Got::Refused(why) = got {
            println!("{round} the API server {}: {}", input.what, why.replace('\n', " "));
        }
    }
    (names, got)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_objects_get_a_reason_and_what_is_refused_is_not_sent() {
    let _running = RunningTest::begin();
    let world = World::start(world_options()).await.unwrap_or_else(|error| panic!("the world does not start: {error}"));
    world.kubectl().run(&["create", "namespace", NAMESPACE]).await.unwrap();
    rights::narrow(&world).await;
    rights::grant_with(&world, NAMESPACE, &[]).await;
    // Every instance of one region is allowed: the allow-list does not stop a hostile id.
    let everywhere = r#"regions: ["*"] }]"#;
    let text = world.operator_config("");
    assert!(text.contains(everywhere), "{text}");
    let config = world.write_config("hostile.yaml", &text.replace(everywhere, "regions: [cn-hangzhou] }]")).expect("a file");
    let start = StartOperator { args: vec![format!("--watch-namespace={NAMESPACE}")], config: Some(config), ..StartOperator::default() };
    let mut operator = world.start_operator(start).unwrap_or_else(|error| panic!("{error}"));
    operator.wait_ready(PATIENCE).await.unwrap_or_else(|error| panic!("{error}"));

    let inputs = inputs();
    let all: Vec<&Input> = inputs.iter().collect();
    let (taken, got) = judged(&world, &operator, 1, &all).await;
    let calls = world.rds.calls();
    assert!(calls.is_empty(), "{calls:#?}");
    let again: Vec<&Input> = all.iter().zip(&got).filter(|(_, got)| matches!(got, Got::Refused(_))).map(|(input, _)| *input).collect();
    without_rules(&world).await;
    let (taken_without_rules, _) = judged(&world, &operator, 2, &again).await;
    // Whatever was decided has been sent by then.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let calls = world.rds.calls();
    let harmless = |harm: Harm| taken_without_rules.iter().filter(move |(_, input)| input.without_rules == harm);
    println!(
        "hostile inputs: {}. With the CRD's rules {} refused by the API server and {} by the operator, requests at the cloud: 0. The {} once \
         more without the rules: {} refused by the API server, {} by the operator, {} asked about at the cloud, {} backed up",
        all.len(),
        again.len(),
        taken.len(),
        again.len(),
        again.len() - taken_without_rules.len(),
        harmless(Harm::None).count(),
        harmless(Harm::Reads).count(),
        harmless(Harm::Backup).count(),
    );
    for call in &calls {
        let of_it = |(name, input): &&(String, &Input)| {
            let own = name.replacen('r', &format!("{GOOD}-"), 1);
            input.object["spec"]["dbInstanceId"] == json!(call.instance) || call.instance == own
        };
        let harm = taken_without_rules.iter().find(of_it).map_or(Harm::None, |(_, input)| input.without_rules);
        let is_read = call.action.starts_with("Describe");
        assert!(harm == Harm::Backup || harm == Harm::Reads && is_read, "{call:#?}");
    }
    let made = calls.iter().filter(|call| call.action == "CreateBackup").count();
    assert_eq!((harmless(Harm::Reads).count(), made), (1, harmless(Harm::Backup).count()), "one backup for each that may have one");
    assert!(all.len() >= 100 && again.len() >= 60 && taken.len() >= 10 && harmless(Harm::None).count() >= 30);
    assert!(operator.ended_already().expect("a state").is_none(), "it still runs");
    // Beside all of these a good object is backed up: the operator refuses them, and not everything.
    let good = backup("good", |object| object["metadata"]["name"] = json!("good"));
    assert!(matches!(post(&world, 3, &[&good]).await[0], Got::Taken(_)));
    let began = Instant::now();
    while world.rds.accepted(&format!("{GOOD}-3-0")) == 0 {
        assert!(began.elapsed() < PATIENCE, "the good one is held up\n{}", operator.log_tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
