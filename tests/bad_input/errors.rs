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

/// Beginnings of the codes that refuse the access key, its secret or its token.
const KEYS: [&str; 7] = [
    "InvalidAccessKey",
    "InvalidSecurityToken",
    "MissingSecurityToken",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "AuthenticationFail.OIDCToken",
    "EntityNotExist.Role",
];

/// The ends that fit each class. A code that differs from its class has a comment with the reason.
fn expected(code: &str, class: &str) -> (&'static [&'static str], bool) {
    match (code, class) {
        // It proves nothing: the running job or task may come from a duplicated delivery of this very request.
        ("BackupJobExists" | "ConcurrentTaskExceeded", _) => (&["OutcomeUnknown"], false),
        // The operator's clock is wrong, and it corrects the clock by the answers.
        ("InvalidTimeStamp.Format" | "IllegalTimestamp" | "InvalidTimeStamp.Expired", _) => (&["ClockSkew"], false),
        // The request is refused before the service acts.
        ("Throttling" | "Throttling.Api" | "Throttling.User" | "Rejected.Throttling", _) => (&["Throttled"], false),
        // The token has expired, and the operator reads a new one within a minute.
        ("InvalidSecurityToken.Expired" | "AuthenticationFail.OIDCToken.Expired", _) => (&["InvalidCredentials"], false),
        // The reads before the request were answered with the same key, so the key was rotated a moment ago: the operator reads the new
        // one.
        (code, "account") if KEYS.iter().any(|about| code.starts_with(about)) => (&["InvalidCredentials"], false),
        // A backup may have begun when these occurred.
        ("LockTimeout" | "InstanceConnectTimeoutFault" | "Database.ConnectError", _) => (&["OutcomeUnknown"], false),
        // One code for a database that does not exist and for one that is not ready.
        ("InvalidDB.NotFound", _) => (&["DatabaseNotReady"], false),
        (_, "config") => (&["UnsupportedMethod", "Rejected", "InstanceNotFound", "AccessDenied", "AccountProblem"], true),
        (_, "account") => (&["AccessDenied", "InvalidCredentials", "AccountProblem"], true),
        (_, "retry") => (&["OutcomeUnknown"], false),
        (_, "wait") => (&["InstanceNotRunning"], false),
        (_, "quota") => (&["QuotaExceeded"], false),
        other => panic!("{other:?}"),
    }
}

struct Published {
    status: u16,
    code: &'static str,
    class: &'static str,
}

/// Each code once, with its first HTTP status. Rows that describe no code have blanks in them.
fn published() -> Vec<Published> {
    let mut seen = BTreeSet::new();
    let rows = PUBLISHED.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter_map(|columns| {
        let [_, status, code, class] = columns[..] else { panic!("{columns:?}") };
        let status = status.split('/').next().and_then(|status| status.parse().ok()).unwrap_or(400);
        (!code.contains(' ') && seen.insert(code)).then_some(Published { status, code, class })
    })
    .collect()
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
    for error in &codes {
        let meaning = meaning_of(error.code);
        for engine in ENGINES {
            let instance = format!("{engine}-{}", error.code.to_lowercase().replace('.', "-"));
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": "Physical" }));
            let decision = case.preflight(&bench).await;
            assert!(matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{instance}: {decision:?}");
            fault(&bench, "CreateBackup", &instance, error);
            let request = rds_backup_operator::backup::spec::ValidatedSpec::from_spec(&case.object.spec).expect("a good spec").request;
            let answer = bench.client.create_backup(&bench.credentials(), &request, &bench.stamp()).await;
            let decision = case.answered(answer);

            let (reasons, stalled) = match error.status {
                // Whatever the code says, a server fault proves nothing.
                500.. => (&["OutcomeUnknown"][..], false),
                _ => expected(error.code, error.class),
            };
            println!(
                "{:<8} {:<46} {:<14} {:<20} {:<8} {:<10} {}",
                error.class,
                error.code,
                engine,
                case.reason(),
                if case.is_stalled() { "yes" } else { "no" },
                format!("{:?}", case.status.phase),
                case.message()
            );
            assert!(reasons.contains(&case.reason()), "{}: {} is not one of {reasons:?}", error.code, case.reason());
            assert_eq!(case.is_stalled(), stalled, "{}", error.code);
            let last = case.status.last_error.as_ref().unwrap_or_else(|| panic!("{}: no lastError", error.code));
            assert_eq!(last.code, error.code);
            let request_id = last.request_id.as_deref().unwrap_or_default();
            assert_eq!(request_id.len(), 36, "{}: the id of the request", error.code);
            assert!(case.message().contains(error.code), "{}: {}", error.code, case.message());
            assert!(case.message().contains(request_id), "{}", case.message());
            if case.reason() != "OutcomeUnknown" {
                assert_eq!(meaning.created, Created::Nothing, "{}", error.code);
            }
            let cure = match error.status {
                500.. => "Nothing to do",
                _ => meaning.cure,
            };
            assert!(case.message().to_lowercase().contains(&cure.to_lowercase()), "{}: {cure}: {}", error.code, case.message());
            is_clean(&case, &decision.events);
            *counts.entry(format!("{} -> {}", error.class, case.reason())).or_default() += 1;
        }
    }
    println!("{} codes, {} rows: {counts:#?}", codes.len(), codes.len() * ENGINES.len());
}

#[tokio::test]
async fn an_error_of_a_read_ends_nothing() {
    let bench = Bench::new(SignatureVersion::V3).await;
    for (number, error) in published().iter().enumerate() {
        for action in ["DescribeDBInstanceAttribute", "DescribeBackupTasks", "DescribeBackups"] {
            // Each engine is tested with a part of the codes.
            let engine = ENGINES[number % ENGINES.len()];
            let instance = format!("{engine}-{}-{}", action.to_lowercase(), error.code.to_lowercase().replace('.', "-"));
            fault(&bench, action, &instance, error);
            let mut case = Case::of(&json!({ "dbInstanceId": instance, "method": "Physical" }));
            let decision = case.preflight(&bench).await;
            let what = format!("{action} {}", error.code);
            assert!(matches!(case.status.phase, Phase::Pending | Phase::Queued), "{what}: {:?}", case.status.phase);
            assert!(!matches!(decision.effect, Some(Effect::WriteIntent { .. })), "{what}");
            assert_eq!(case.status.last_error.as_ref().map(|last| last.code.as_str()), Some(error.code), "{what}");
            assert!(case.message().contains(error.code), "{what}: {}", case.message());
            assert_eq!(case.is_stalled(), case.status.phase == Phase::Pending, "{what}");
            is_clean(&case, &decision.events);
        }
    }
}
