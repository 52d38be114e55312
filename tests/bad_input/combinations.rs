//! Every combination of method, type, strategy, databases and retention, on every engine and disk: the operator refuses, before it asks,
//! exactly the requests that the service would refuse. Errors that only the service can know (a database that does not exist) are in
//! errors.rs.

use std::collections::BTreeMap;

use rds_backup_operator::{
    api::Phase,
    backup::decide::Effect,
    rds::{CreateBackup, InstanceId},
    rpc::SignatureVersion,
};
use serde_json::{Value, json};

use crate::bench::{Bench, Case, KINDS};

/// The fields of every possible spec, valid or not: 4 methods, 3 types, 6 combinations of strategy and databases, 5 retentions.
fn specs() -> Vec<Value> {
    let methods = [None, Some("Physical"), Some("Logical"), Some("Snapshot")];
    let types = [None, Some("Auto"), Some("FullBackup")];
    let strategies =
        [(None, false), (Some("instance"), false), (Some("db"), true), (Some("db"), false), (None, true), (Some("instance"), true)];
    let mut specs = Vec::new();
    for method in methods {
        for kind in types {
            for (strategy, databases) in strategies {
                for retention in [None, Some(30), Some(-1), Some(6), Some(731)] {
                    let mut spec = json!({});
                    for (name, value) in [("method", method), ("type", kind), ("strategy", strategy)] {
                        if let Some(value) = value {
                            spec[name] = json!(value);
                        }
                    }
                    if databases {
                        spec["databases"] = json!(["orders", "users"]);
                    }
                    if let Some(days) = retention {
                        spec["retentionDays"] = json!(days);
                    }
                    specs.push(spec);
                }
            }
        }
    }
    specs
}

/// The request with these fields, valid or not.
fn request(instance: &str, spec: &Value) -> CreateBackup {
    let text = |name: &str| spec[name].as_str().map(str::to_owned);
    CreateBackup {
        instance: InstanceId::new(instance),
        method: text("method"),
        strategy: text("strategy"),
        databases: spec["databases"].as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        backup_type: text("type"),
        retention_days: spec["retentionDays"].as_i64(),
        resource_group_id: None,
    }
}

fn short(spec: &Value) -> String {
    let fields = spec.as_object().into_iter().flatten();
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {}", value.to_string().replace('"', ""))).collect();
    if fields.is_empty() { "(nothing)".to_owned() } else { fields.join(", ") }
}

#[tokio::test]
async fn what_the_service_would_refuse_is_refused_before_it_is_asked() {
    let bench = Bench::new(SignatureVersion::V3).await;
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    println!("{:<16} {:<84} {:<18} {:<8} {:<35} message", "instance", "spec", "reason", "stalled", "the service's code");
    for (kind, ..) in KINDS {
        for (number, spec) in specs().into_iter().enumerate() {
            let instance = format!("{kind}-{number}");
            let mut full = spec.clone();
            full["dbInstanceId"] = json!(instance);
            let mut case = Case::of(&full);
            let decision = case.preflight(&bench).await;
            assert_eq!(bench.endpoint.accepted(&instance), 0, "nothing is asked for by deciding");
            let goes_on = matches!(decision.effect, Some(Effect::WriteIntent { .. }));

            let code = bench.judged(&request(&instance, &spec)).await;
            let shown = if goes_on { "(sent)" } else { case.reason() };
            println!(
                "{kind:<16} {:<84} {shown:<18} {:<8} {:<35} {}",
                short(&spec),
                if case.is_stalled() { "yes" } else { "no" },
                code.as_deref().unwrap_or("(accepted)"),
                if goes_on { "" } else { case.message() }
            );
            *counts.entry(shown.to_owned()).or_default() += 1;
            if goes_on != code.is_none() {
                wrong.push(format!("{kind} {}: {shown}, but the service says {code:?}", short(&spec)));
            }
            if !goes_on {
                assert!(case.is_stalled(), "{kind} {spec}");
                match case.reason() {
                    // The API server refuses these already.
                    "InvalidSpec" => assert!(!case.message().is_empty()),
                    "UnsupportedMethod" => {
                        assert_eq!(case.status.phase, Phase::Failed);
                        assert!(case.message().starts_with(&instance), "{}", case.message());
                        assert!(case.message().contains("create one with"), "a cure: {}", case.message());
                    }
                    other => panic!("{kind} {spec}: {other}"),
                }
            }
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), KINDS.len() * specs().len(), wrong.join("\n"));
    assert!(counts["(sent)"] > 50 && counts["UnsupportedMethod"] > 150, "{counts:?}");
}

#[tokio::test]
async fn the_message_names_a_method_that_works() {
    let bench = Bench::new(SignatureVersion::V3).await;
    for (kind, ..) in KINDS {
        for method in ["Physical", "Logical", "Snapshot"] {
            let instance = format!("{kind}-a{}", method.to_lowercase());
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": method }));
            if matches!(case.preflight(&bench).await.effect, Some(Effect::WriteIntent { .. })) {
                continue;
            }
            let (_, cure) = case.message().split_once("create one with").unwrap_or_else(|| panic!("{}", case.message()));
            let named: Vec<_> =
                ["Physical", "Logical", "Snapshot"].into_iter().filter(|method| cure.contains(&format!("method: {method}"))).collect();
            assert!(!named.is_empty(), "{cure}");
            for (number, named) in named.into_iter().enumerate() {
                let instance = format!("{kind}-b{}{number}", method.to_lowercase());
                let spec = json!({ "method": named });
                assert_eq!(bench.judged(&request(&instance, &spec)).await, None, "{kind}: {cure}");
            }
        }
    }
}
