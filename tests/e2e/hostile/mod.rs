//! Hostile objects against the real API server: with the CRD's rules, and once more without them, so that the operator itself has to refuse. In
//! a world of its own, whose endpoint must see no request, but for those few that do no harm and are named here.

mod inputs;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use http::Request;
use rds_backup_sandbox::world::{Operator, StartOperator, World};
use serde_json::{Value, json};

use self::inputs::{GOOD, Harm, Input, NAMESPACE, backup, inputs};
use crate::{
    environment::{condition, world_options},
    rights,
    site::RunningTest,
};

const PATIENCE: Duration = Duration::from_secs(240);

/// What became of one.
enum Got {
    /// The API server refused it, with this message.
    Refused(String),
    /// It took it under this name.
    Taken(String),
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
