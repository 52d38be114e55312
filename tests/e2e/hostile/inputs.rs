//! The hostile objects: each a text or a member that somebody may write into an RdsBackup or an RdsBackupSchedule.

use serde_json::{Value, json};

/// The namespace of all of them.
pub const NAMESPACE: &str = "hostile";

/// An instance that is allowed.
pub const GOOD: &str = "rm-mysql-good";

/// One object: what is hostile about it, its plural, and the object without a name, unless that is what is hostile.
pub struct Input {
    pub what: String,
    pub plural: &'static str,
    pub object: Value,
    pub without_rules: Harm,
}

/// What may leave for an object that only the CRD's rules refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing: the operator refuses it too.
    None,
    /// Reads. No instance has this id, but it has the letters of one: only the service can know, and it says so.
    Reads,
    /// A backup, of the instance that it names and may name: the number is taken for the nearest that is allowed.
    Backup,
}

pub fn backup(what: &str, change: impl FnOnce(&mut Value)) -> Input {
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

/// All of them.
pub fn inputs() -> Vec<Input> {
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
