//! What a change of the configuration keeps, and what it takes back.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::BoxFuture;

use super::*;
use crate::{
    clock::Clock,
    config::Config,
    entropy::Entropy,
    rds::{CallError, CreateBackup, CreateOutcome, InstanceId, Rejection, Stamp},
    rpc::{Failure, HttpRequest, HttpResponse, HttpTransport},
};

mod tenants;

/// `a` allows team-a, `b` everybody.
const CONFIG: &str = "\
accounts:
  a:
    regionId: cn-hangzhou
    credentials: { type: Secret, name: key-a }
    allow: [{ namespaces: [team-a], instances: [rm-1], regions: [cn-hangzhou] }]
    limits: { createPerSecond: 1 }
  b:
    regionId: cn-beijing
    credentials: { type: Auto }
    allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]
";

/// Answers every request with a refusal, and counts them.
#[derive(Default)]
struct Counting(AtomicUsize);

impl HttpTransport for Counting {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let body = br#"{"RequestId":"R","Code":"Forbidden.RAM","Message":"no"}"#.to_vec();
        let answer = HttpResponse { status: 403, headers: http::HeaderMap::new(), body, received: now() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn now() -> jiff::Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

struct World {
    accounts: Accounts,
    sent: Arc<Counting>,
}

impl World {
    fn new() -> Self {
        let Config { submissions, accounts, .. } = Config::parse(CONFIG).unwrap();
        let sent = Arc::new(Counting::default());
        let deps = ClientDeps { clock: Clock::new(now), entropy: Entropy::system(), transport: Some(sent.clone()) };
        let source = |settings: &AccountSettings, _: Option<&str>| Source::Fixed(Ok(key(&settings.credentials.to_string())));
        Self { accounts: Accounts::new(accounts, submissions, source, deps), sent }
    }

    /// The configuration with this text in place of that one.
    fn change(&self, from: &str, to: &str) -> AccountChanges {
        let text = CONFIG.replacen(from, to, 1);
        assert!(from == to || text != CONFIG, "{from} is not there");
        let Config { submissions, accounts, .. } = Config::parse(&text).unwrap();
        self.accounts.replace(accounts, submissions)
    }

    fn access(&self, account: &str) -> Access {
        self.try_access(account).unwrap()
    }

    fn try_access(&self, account: &str) -> Result<Access, AccountError> {
        let spec = serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-1", "account": account })).unwrap();
        self.accounts.access("team-a", &spec, None)
    }

    fn sent(&self) -> usize {
        self.sent.0.load(Ordering::Relaxed)
    }
}

fn key(id: &str) -> Credentials {
    Credentials {
        access_key_id: id.into(),
        access_key_secret: "secret-of-the-test".to_owned().into(),
        security_token: None,
        expires_at: None,
    }
}

fn instance() -> InstanceId {
    InstanceId::new("rm-1")
}

async fn create(access: &Access) -> CreateOutcome {
    let request = CreateBackup {
        instance: instance(),
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    };
    access.client.create_backup(&key("k"), &request, &Stamp { nonce: "n".to_owned(), timestamp: now() }).await
}

async fn read(access: &Access) -> Option<CallError> {
    access.client.describe_instance(&key("k"), &instance()).await.err()
}

fn withdrawn(outcome: &CreateOutcome) -> bool {
    *outcome == CreateOutcome::Rejected(Rejection::Withdrawn)
}

#[tokio::test(start_paused = true)]
async fn an_account_keeps_its_connection_unless_the_settings_change_that_it_is_made_of() {
    let same = |name: &[&str]| name.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (from, to, keeps) in [
        ("team-a", "team-a, team-z", true),
        ("    limits: { createPerSecond: 1 }\n", "    limits: { createPerSecond: 1 }\n    poll: { first: 1s }\n", true),
        ("    limits: { createPerSecond: 1 }\n", "    limits: { createPerSecond: 1 }\n    protocol: { listingLag: 1m }\n", true),
        ("    limits: { createPerSecond: 1 }\n", "    limits: { createPerSecond: 1 }\n    submissions: Paused\n", true),
        ("    limits: { createPerSecond: 1 }\n", "    limits: { createPerSecond: 1 }\n    proxy: { url: \"http://p.example\" }\n", false),
        ("type: Secret, name: key-a }", "type: RRSA }\n    stsEndpoint: https://sts.example", false),
        ("createPerSecond: 1", "createPerSecond: 2", false),
        ("key-a", "key-c", false),
        ("    credentials: { type: Secret", "    signature: V1\n    credentials: { type: Secret", false),
        ("    credentials: { type: Secret", "    network: Vpc\n    credentials: { type: Secret", false),
        ("    credentials: { type: Secret", "    endpoint: https://rds.example\n    credentials: { type: Secret", false),
        ("cn-hangzhou\n", "cn-shanghai\n", false),
    ] {
        let world = World::new();
        let (a, b) = (world.access("a"), world.access("b").account);
        let changes = world.change(from, to);
        assert_eq!(changes, AccountChanges { changed: same(&["a"]), ..AccountChanges::default() }, "{to}");
        let spec =
            serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-1", "account": "a", "regionId": "cn-hangzhou" })).unwrap();
        let after = world.accounts.access("team-a", &spec, None).unwrap();
        assert_eq!(after.connection_id() == a.connection_id(), keeps, "{to}");
        let other_key = to == "key-c" || to.contains("RRSA");
        assert_eq!(after.credentials().await.unwrap().is(&a.credentials().await.unwrap()), !other_key, "{to}");
        assert!(Arc::ptr_eq(&world.access("b").account, &b), "the other account is untouched by {to}");
    }
    let world = World::new();
    let replacements = world.accounts.replacements();
    assert!(world.change("a", "a").is_empty() && replacements.has_changed().unwrap());
    let changes = world.change("  b:\n", "  c:\n");
    assert_eq!(changes, AccountChanges { added: same(&["c"]), removed: same(&["b"]), ..AccountChanges::default() });
    assert!(changes.concern("b") && changes.concern("c") && !changes.concern("a"));
    let all = world.change("accounts:", "submissions: Paused\naccounts:");
    assert_eq!((all.changed, all.added), (same(&["a"]), same(&["b"])), "a pause of all accounts changes each");
    assert!(world.access("a").account.paused());
}

/// The configuration changes while the request waits for the limits: it must not leave.
#[tokio::test(start_paused = true)]
async fn what_was_given_out_before_sends_nothing_that_the_new_configuration_forbids() {
    for (from, to, sends_reads, sends_creates) in [
        ("[team-a]", "[team-a, team-z]", true, true),
        ("  b:\n", "  c:\n", true, true),
        ("accounts:", "submissions: Paused\naccounts:", true, false),
        ("    limits:", "    submissions: Paused\n    limits:", true, false),
        ("[team-a]", "[team-b]", false, false),
        ("instances: [rm-1]", "instances: [rm-2]", false, false),
        ("regions: [cn-hangzhou]", "regions: [cn-beijing]", false, false),
        ("key-a", "key-c", false, false),
        ("  a:\n", "  d:\n", false, false),
    ] {
        let world = World::new();
        let access = world.access("a");
        create(&access).await;
        assert_eq!(world.sent(), 1);
        let (outcome, ()) = tokio::join!(create(&access), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            world.change(from, to);
        });
        assert_eq!((withdrawn(&outcome), world.sent()), (!sends_creates, 1 + usize::from(sends_creates)), "{to}: {outcome:?}");
        let before = world.sent();
        let error = read(&access).await;
        assert_eq!((error == Some(CallError::Withdrawn), world.sent() - before), (!sends_reads, usize::from(sends_reads)), "{to}");
        // What is given out now is judged by what is in force now.
        let allowed = world.try_access("a");
        assert_eq!(allowed.is_ok(), sends_reads || to == "key-c", "{to}");
        if let Ok(access) = allowed {
            assert_eq!(withdrawn(&create(&access).await), !sends_creates && to != "key-c", "{to}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_facts_of_an_account_go_with_it_and_stay_through_a_change() {
    let world = World::new();
    let access = world.access("a");
    read(&access).await;
    let calls = || {
        let facts = world.accounts.facts();
        facts.into_iter().find(|facts| facts.name == "a").map(|facts| facts.calls.iter().map(|call| call.count).sum::<u64>())
    };
    assert_eq!(calls(), Some(1));
    world.change("key-a", "key-c");
    assert_eq!(calls(), Some(1), "a counter does not start anew because the key is another");
    read(&world.access("a")).await;
    assert_eq!(calls(), Some(2));
    world.change("  a:\n", "  d:\n");
    assert_eq!((calls(), world.accounts.names()), (None, vec!["b".to_owned(), "d".to_owned()]));
}
