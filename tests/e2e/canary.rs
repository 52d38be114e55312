//! The canary, end to end: an operator with every source of keys and `RUST_LOG=trace`, servers that refuse and repeat, and a search of all that
//! can be read of it afterwards.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::SignedDuration;
use rds_backup_sandbox::{
    marks::{FORMS, Marks},
    metadata::{self, Metadata},
    rds::{Effect, Fault, Garbage, PRESIGNED_CANARY},
    sts::Trouble,
    world::StartOperator,
};
use serde_json::json;

use crate::{
    credentials::{AUDIENCE, Cloud, SPOKE, SUBJECT},
    site::{Site, at_site},
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The beginnings of what the servers give out, and the tokens of the operator's ServiceAccount.
fn planted(site: &Site, cloud: &Cloud) -> Marks {
    let mut marks = Marks::new();
    let kubeconfig = std::fs::read_to_string(site.world.operator_kubeconfig()).expect("the operator's kubeconfig");
    let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let bearer = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token").to_owned();
    let oidc = cloud.issuer.token(SUBJECT, AUDIENCE, cloud.sts.now() + SignedDuration::from_hours(1));
    for (name, secret) in [
        ("the secret of the Secret", "sandbox-secret"),
        ("a secret of STS", "sts-secret-canary"),
        ("a security token of STS", "sts-token-canary"),
        ("a token of the metadata service", "metadata-token-canary"),
        ("a secret of the metadata service", "metadata-secret-canary"),
        ("a security token of the metadata service", "metadata-sts-token-canary"),
        ("the path of the CredentialsURI", "uri-canary-path"),
        ("the query of the CredentialsURI", "uri-canary-ticket"),
        ("a pre-signed address", PRESIGNED_CANARY),
        ("the OIDC token", oidc.as_str()),
        ("the token for the API server", bearer.as_str()),
    ] {
        marks.plant(name, secret);
    }
    marks
}

/// The accounts, and how the secrets begin that each signs with.
const ACCOUNTS: [(&str, [&str; 2]); 5] = [
    ("default", ["sandbox-secret", "sandbox-secret"]),
    ("rrsa", ["sts-secret-canary-1", "sts-token-canary-1"]),
    ("assumed", ["sts-secret-canary-1", "sts-token-canary-1"]),
    ("ecs", ["metadata-secret-canary-1", "metadata-sts-token-canary-1"]),
    ("uri", ["metadata-secret-canary-1", "metadata-sts-token-canary-1"]),
];

/// What an account gets instead of the service's answer, with what a careless service or proxy may repeat of its key.
fn faults(own: [&str; 2]) -> Vec<Effect> {
    let [secret, token] = own;
    let encoded = BASE64_STANDARD.encode(format!("id:{token}"));
    let message =
        format!("you sent {token} {} Basic {encoded} {secret} and https://oss.example/b?Signature={PRESIGNED_CANARY}", &token[..12]);
    let error =
        |code: &str, http_status: u16| Effect::ApiError { code: code.into(), http_status, message: message.clone(), executed: false };
    vec![
        error("SomethingNew", 400),
        error("SignatureDoesNotMatch", 400),
        error("InternalError", 500),
        Effect::Garbage { body: Garbage::Html, executed: false },
        Effect::Garbage { body: Garbage::TruncatedJson, executed: true },
        Effect::Status5xx { status: 502, executed: true },
        Effect::Reset { executed: true },
        Effect::LoseAnswer,
        Effect::Throttle { retry_after_ms: Some(500) },
    ]
}

#[test]
fn no_source_of_keys_shows_a_secret_at_the_level_trace() {
    at_site(|site| async move {
        let cloud = Cloud::new(&site, seconds(20)).await;
        let marks = planted(&site, &cloud);
        let short = metadata::Settings { life: seconds(20), ..metadata::Settings::default() };
        let node = Metadata::start(short.clone(), site.rds().key_sink()).await.expect("a metadata service");
        let server = Metadata::start(short.clone(), site.rds().key_sink()).await.expect("a server of keys");
        let (rds, sts) = (site.rds().url(), cloud.sts.url());
        let account = |name: &str, signature: &str, more: &str| {
            format!(
                "  {name}:\n    regionId: cn-hangzhou\n    endpoint: {rds}\n    signature: {signature}\n    {more}\n    \
                 poll: {{ first: 1s, min: 1s, max: 2s }}\n    protocol: {{ requestExpiry: 5s, clockSkew: 2s, listingLag: 4s }}\n    \
                 allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n"
            )
        };
        let assumed =
            format!("stsEndpoint: {sts}\n    credentials: {{ type: AssumeRole, roleArn: \"{SPOKE}\", externalId: team-a, from: rrsa }}");
        let accounts = [
            account("rrsa", "V3", &format!("stsEndpoint: {sts}\n    credentials: {{ type: RRSA }}")),
            account("assumed", "V1", &assumed),
            account("ecs", "V1", &format!("metadataEndpoint: {}\n    credentials: {{ type: EcsRamRole }}", node.url())),
            account("uri", "V3", &format!("credentials: {{ type: CredentialsURI, uri: \"{}{}\" }}", server.url(), metadata::URI_PATH)),
            account("lacking", "V3", "credentials: { type: Secret, name: no-such-secret }"),
        ];
        let config = site.world.operator_config(&accounts.concat());
        let config = site.world.write_config(&format!("{}-canary.yaml", site.namespace), &config).expect("a file");
        let mut env = cloud.env();
        env.push(("RUST_LOG".to_owned(), "trace,hyper=trace,rustls=trace,reqwest=trace,kube_client=trace,tower=trace,h2=trace".to_owned()));
        let operator = site.operator_with(StartOperator { config: Some(config), env, ..StartOperator::default() }).await;

        // Every fault for every account; each object ends, or waits for what this test does not mend.
        let mut met = 0;
        for (name, own) in ACCOUNTS {
            for (number, effect) in faults(own).into_iter().enumerate() {
                let (object, instance) = (format!("{name}-{number}"), site.instance(&format!("rm-mysql-{name}-{number}")));
                // One on a read, one on the request itself.
                let action = if number % 2 == 0 { "DescribeDBInstanceAttribute" } else { "CreateBackup" };
                let fault = Fault { action: Some(action.into()), instance: Some(instance.clone()), times: Some(1), effect };
                site.rds().add_fault(fault);
                site.apply(&object, json!({ "dbInstanceId": instance, "account": name })).await;
                met += 1;
            }
        }
        site.apply("lacking", json!({ "dbInstanceId": site.instance("rm-mysql-lacking"), "account": "lacking" })).await;
        site.until_reason("lacking", "AccessDenied").await;
        // The sources themselves fail, until the keys that they gave out have ended.
        let troubles = [
            Trouble::Error { status: 401, code: "AuthenticationFail.OIDCToken.Invalid".into() },
            Trouble::Garbage("{\"Credentials\":{\"AccessKeyId\":\"STS.a\",\"AccessKeySecret\":\"sts-secret-canary-9\"".into()),
        ];
        for trouble in troubles {
            cloud.sts.update(|settings| settings.trouble = Some(trouble.clone()));
            for service in [&node, &server] {
                service.update(|settings| settings.lacks = vec!["Expiration".to_owned()]);
            }
            met += 3;
            tokio::time::sleep(seconds(12)).await;
        }
        let verbose = operator.get("/readyz?verbose").await.expect("an answer").body;
        cloud.sts.update(|settings| settings.trouble = None);
        for service in [&node, &server] {
            service.update(|settings| *settings = short.clone());
        }
        for (name, own) in ACCOUNTS {
            for number in 0..faults(own).len() {
                let ended = |object: &serde_json::Value| matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
                site.until(&format!("{name}-{number}"), "at its end", ended).await;
            }
        }

        let all = site.kubectl().json(&["get", "rdsbackups,events", "-n", &site.namespace]).await.expect("objects");
        let kinds = |kind: &str| {
            let items = all["items"].as_array().into_iter().flatten().filter(|item| item["kind"] == kind);
            items.map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let log = std::fs::read_to_string(operator.log()).expect("its log");
        let mut places: BTreeMap<&str, String> = BTreeMap::new();
        places.insert("statuses", kinds("RdsBackup"));
        places.insert("events", kinds("Event"));
        places.insert("/readyz?verbose", verbose + &operator.get("/readyz?verbose").await.expect("an answer").body);
        places.insert("/metrics", operator.get("/metrics").await.expect("an answer").body);
        places.insert("the log at trace", log.clone());
        let hits: Vec<String> =
            places.iter().flat_map(|(place, text)| marks.search(place, text.as_bytes())).map(|hit| hit.to_string()).collect();
        let bytes: usize = places.values().map(String::len).sum();
        println!(
            "canary (a process): {} marks in {FORMS} forms, {} places ({}), {met} faults, {:.1} MB searched; hits: {}",
            marks.planted(),
            places.len(),
            places.iter().map(|(place, text)| format!("{place} {:.2} MB", text.len() as f64 / 1e6)).collect::<Vec<_>>().join(", "),
            bytes as f64 / 1e6,
            hits.len()
        );
        assert!(hits.is_empty(), "{hits:#?}");
        assert!(places.values().all(|text| !text.is_empty()));
        // It was at trace, and every source gave out keys.
        assert!(log.contains("\"level\":\"DEBUG\"") && log.contains("\"action\":\"AssumeRoleWithOIDC\""), "the log is not at trace");
        let used = |name: &str| site.calls(&site.instance(&format!("rm-mysql-{name}-0"))).len();
        assert!(ACCOUNTS.iter().all(|(name, _)| used(name) > 0), "a source gave out no key");
    });
}
