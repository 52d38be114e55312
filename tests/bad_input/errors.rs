//! Every published error, as the answer to the request itself and as the answer to a read, over all engines: the reason, whether it is
//! Stalled, the code, the request id and the cure; and no text that the service may repeat in its message.

use std::collections::{BTreeMap, BTreeSet};

use rds_backup_operator::{
    api::Phase,
    backup::decide::Effect,
    rds::{Created, meaning_of},
    rpc::SignatureVersion,
};
use rds_backup_sandbox::rds::{self as simulated, Fault};
use serde_json::json;

use crate::bench::{Bench, Case, KEY, SECRET};

/// Codes and classes, from the service's pages and from the sources of other clients.
const PUBLISHED: &str = include_str!("../fixtures/error-codes.tsv");

/// One kind of instance for each engine.
const ENGINES: [&str; 4] = ["rm-mysql-local", "pgm-cloud", "rm-mssql-cloud", "rm-maria-cloud"];

/// Every message of the service contains this: a pre-signed address, and the text that the service repeats for a refused signature.
const ECHO: &str = "https://oss.example/b.xb?Expires=1&Signature=ECHO-CANARY server string to sign is:POST&%2F&AccessKeyId%3Dkey-of-the-test%26ECHO-CANARY key-of-the-test secret-of-the-test";

/// What each code leads to when it answers the request itself under any HTTP status below 500: the reason; whether the object waits,
/// stalls, fails, or looks for a backup that may have been made; and a word of what the cure names.
const REASONS: &str = include_str!("../fixtures/error-reasons.tsv");

/// HTTP statuses under which codes were seen that are published with another one.
const STATUSES: [u16; 4] = [400, 403, 404, 429];

#[derive(Clone, Copy)]
struct Published {
    status: u16,
    code: &'static str,
    class: &'static str,
    reason: &'static str,
    then: &'static str,
    named: &'static str,
}

/// Each code once, with its first HTTP status. Rows that describe no code have blanks in them.
fn published() -> Vec<Published> {
    let mut seen = BTreeSet::new();
    let mut reasons: BTreeMap<&str, [&str; 3]> = BTreeMap::new();
    for line in REASONS.lines().skip(1) {
        let [code, reason, then, named] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(reasons.insert(code, [reason, then, named]).is_none(), "{code} twice");
    }
    let rows = PUBLISHED.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let mut published = Vec::new();
    for columns in rows {
        let [_, status, code, class] = columns[..] else { panic!("{columns:?}") };
        let status = status.split('/').next().and_then(|status| status.parse().ok()).unwrap_or(400);
        if !code.contains(' ') && seen.insert(code) {
            let [reason, then, named] = reasons.remove(code).unwrap_or_else(|| panic!("{code} has no reason"));
            published.push(Published { status, code, class, reason, then, named });
        }
    }
    assert!(reasons.is_empty(), "not published: {reasons:?}");
    published
}

/// Whether the code refuses the access key, its secret or its token: of the request itself that passes, because the reads before it were
/// answered with the same key; of a read it does not.
fn refuses_the_key(code: &str) -> bool {
    let keys = ["InvalidAccessKey", "InvalidSecurityToken", "MissingSecurityToken", "Signature", "IncompleteSignature"];
    keys.iter().chain(&["AuthenticationFail.OIDCToken", "EntityNotExist.Role"]).any(|about| code.starts_with(about))
}

fn fault(bench: &Bench, action: &str, instance: &str, error: &Published) {
    let effect = simulated::Effect::ApiError { code: error.code.into(), http_status: error.status, message: ECHO.into(), executed: false };
    bench.endpoint.add_fault(Fault { action: Some(action.into()), instance: Some(instance.into()), times: Some(1), effect });
}

/// No repeated text may be in the status or in an event.
fn is_clean(case: &Case, events: &impl std::fmt::Debug) {
    let kept = format!("{} {events:?} {:?}", serde_json::to_string(&case.status).expect("JSON"), case.memory);
    for secret in ["ECHO-CANARY", "oss.example", KEY, SECRET] {
        assert!(!kept.contains(secret), "{secret} is kept: {kept}");
    }
}

#[tokio::test]
async fn every_published_error_has_its_reason_and_its_cure() {
    let codes = published();
    assert!(codes.len() > 130, "{}", codes.len());
    let bench = Bench::new(SignatureVersion::V3).await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    println!("{:<8} {:<46} {:<14} {:<20} {:<8} {:<10} message", "class", "code", "engine", "reason", "stalled", "phase");
    for (number, error) in codes.iter().enumerate() {
        let meaning = meaning_of(error.code);
        // All engines under the published status, and one of them under every other.
        let published = ENGINES.into_iter().map(|engine| (engine, error.status));
        let others = STATUSES.into_iter().filter(|status| *status != error.status).map(|status| (ENGINES[0], status));
        for (engine, status) in published.chain(others) {
            let error = &Published { status, ..*error };
            let instance = format!("{engine}-{status}-{number}");
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": "Physical" }));
            let decision = case.preflight(&bench).await;
            assert!(matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{instance}: {decision:?}");
            fault(&bench, "CreateBackup", &instance, error);
            let request = rds_backup_operator::backup::spec::ValidatedSpec::from_spec(&case.object.spec).expect("a good spec").request;
            let answer = bench.client.create_backup(&bench.credentials(), &request, &bench.stamp()).await;
            let decision = case.answered(answer);

            // Whatever the code says, a server fault proves nothing.
            let (reason, then, named) =
                if status >= 500 { ("OutcomeUnknown", "looks", "Nothing to do") } else { (error.reason, error.then, error.named) };
            println!(
                "{:<8} {status} {:<46} {:<14} {:<20} {:<8} {:<10} {}",
                error.class,
                error.code,
                engine,
                case.reason(),
                if case.is_stalled() { "yes" } else { "no" },
                format!("{:?}", case.status.phase),
                case.message()
            );
            let what = format!("{} under {status}", error.code);
            assert_eq!(case.reason(), reason, "{what}");
            let found = match case.status.phase {
                Phase::Failed => "fails",
                Phase::Resolving => "looks",
                _ if case.is_stalled() => "stalls",
                _ => "waits",
            };
            assert_eq!(found, then, "{what}");
            assert!(case.message().to_lowercase().contains(&named.to_lowercase()), "{what} names no {named}: {}", case.message());
            let last = case.status.last_error.as_ref().unwrap_or_else(|| panic!("{what}: no lastError"));
            assert_eq!(last.code, error.code);
            let request_id = last.request_id.as_deref().unwrap_or_default();
            assert_eq!(request_id.len(), 36, "{what}: the id of the request");
            assert!(case.message().contains(error.code), "{what}: {}", case.message());
            assert!(case.message().contains(request_id), "{}", case.message());
            assert_eq!(case.reason() == "OutcomeUnknown", status >= 500 || meaning.created == Created::Unknown, "{what}");
            is_clean(&case, &decision.events);
            *counts.entry(format!("{} -> {}", error.class, case.reason())).or_default() += 1;
        }
    }
    println!("{} codes: {counts:#?}", codes.len());
}

#[tokio::test]
async fn an_error_of_a_read_ends_nothing() {
    let bench = Bench::new(SignatureVersion::V3).await;
    for (number, error) in published().iter().enumerate() {
        for action in ["DescribeDBInstanceAttribute", "DescribeBackupTasks", "DescribeBackups"] {
            // Each engine is tested with a part of the codes.
            let engine = ENGINES[number % ENGINES.len()];
            let instance = format!("{engine}-{}-{number}", action.to_lowercase());
            fault(&bench, action, &instance, error);
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": "Physical" }));
            let decision = case.preflight(&bench).await;
            let what = format!("{action} {}", error.code);
            assert!(matches!(case.status.phase, Phase::Pending | Phase::Queued), "{what}: {:?}", case.status.phase);
            assert!(!matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{what}");
            assert_eq!(case.status.last_error.as_ref().map(|last| last.code.as_str()), Some(error.code), "{what}");
            assert!(case.message().contains(error.code), "{what}: {}", case.message());
            assert_eq!(case.is_stalled(), case.status.phase == Phase::Pending, "{what}");
            // What passes by itself is never Stalled.
            let passes = matches!(error.then, "waits" | "looks") && !refuses_the_key(error.code);
            assert!(!(passes && case.is_stalled()), "{what}: {}", case.message());
            is_clean(&case, &decision.events);
        }
    }
}
