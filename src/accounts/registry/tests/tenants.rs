//! Accounts of which each namespace has its own key, and accounts that allow namespaces by their labels.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::*;

/// `own`: each namespace with its own key. `shared`: namespaces with a label.
const CONFIG: &str = "\
accounts:
  own:
    regionId: cn-hangzhou
    credentials: { type: TenantSecret, name: rds-key }
    allow: [{ namespaces: [\"team-*\"], instances: [\"*\"], regions: [\"*\"] }]
  shared:
    regionId: cn-hangzhou
    credentials: { type: Auto }
    allow: [{ namespaceSelector: { matchLabels: { backups: gold } }, instances: [rm-1], regions: [\"*\"] }]
    limits: { createPerSecond: 1 }
";

fn world() -> World {
    let Config { submissions, accounts, .. } = Config::parse(CONFIG).unwrap();
    let sent = Arc::new(Counting::default());
    let deps = ClientDeps { clock: Clock::new(now), entropy: Entropy::system(), transport: Some(sent.clone()) };
    let source = |_: &AccountSettings, namespace: Option<&str>| Source::Fixed(Ok(key(namespace.unwrap_or("of the account"))));
    World { accounts: Accounts::new(accounts, submissions, source, deps), sent }
}

fn try_access(world: &World, namespace: &str, account: &str) -> Result<Access, AccountError> {
    let spec = serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-1", "account": account })).unwrap();
    world.accounts.access(namespace, &spec, None)
}

async fn key_of(access: &Access) -> String {
    access.credentials().await.unwrap().access_key_id
}

fn label(world: &World, namespace: &str, value: &str) {
    let labels = Labels::from([("backups".to_owned(), value.to_owned())]);
    world.accounts.labels().note(namespace, Ok((Arc::new(labels), Instant::now())));
}

#[tokio::test(start_paused = true)]
async fn tenants_share_no_key_no_client_and_no_place() {
    let world = world();
    let (a, b) = (try_access(&world, "team-a", "own").unwrap(), try_access(&world, "team-b", "own").unwrap());
    assert_eq!((key_of(&a).await, key_of(&b).await), ("team-a".to_owned(), "team-b".to_owned()));
    assert_ne!(a.connection_id(), b.connection_id());
    let again = try_access(&world, "team-a", "own").unwrap();
    assert_eq!(again.connection_id(), a.connection_id(), "it keeps its own");
    let mut places = Vec::new();
    while let Ok(place) = a.admit() {
        places.push(place);
    }
    assert!(!places.is_empty() && again.admit().is_err() && b.admit().is_ok(), "the callers of one are none of the other");
    // What was given out to one is withdrawn when its connection is forgotten, and the other goes on.
    world.accounts.forget_namespaces(|namespace| namespace == "team-b");
    assert_eq!(read(&a).await, Some(CallError::Withdrawn));
    assert_ne!(read(&b).await, Some(CallError::Withdrawn));
    assert_ne!(try_access(&world, "team-a", "own").unwrap().connection_id(), a.connection_id());
    assert!(matches!(try_access(&world, "other", "own"), Err(AccountError::NotAllowed { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_all_tenants_are_looked_for_some_at_a_time() {
    let world = world();
    let names = || world.accounts.names_of_keys().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(names(), BTreeSet::from(["shared".to_owned()]), "no namespace has used it");
    let tenants = TENANTS_A_ROUND + 8;
    for number in 0..tenants {
        try_access(&world, &format!("team-{number}"), "own").unwrap();
    }
    let mut seen = BTreeSet::new();
    for round in 0..2 {
        let checked = world.accounts.credentials().await;
        assert_eq!(checked.len(), 1 + TENANTS_A_ROUND, "round {round}");
        for CheckedKey { account, namespace, found } in &checked {
            let own = namespace.as_deref().unwrap_or("of the account");
            assert_eq!((found.as_ref().unwrap().access_key_id.as_str(), account == "own"), (own, namespace.is_some()));
        }
        seen.extend(checked.iter().map(CheckedKey::name));
    }
    assert_eq!((seen.len(), &seen), (1 + tenants, &names()));
    assert!(seen.contains("own for namespace team-7"), "{seen:?}");
    let facts = world.accounts.facts();
    assert_eq!(facts.iter().map(|facts| facts.keys.len()).collect::<Vec<_>>(), [tenants, 1]);
    assert_eq!(world.accounts.count(), TENANTS_AT_A_TIME + 1);
}

#[tokio::test(start_paused = true)]
async fn labels_decide_at_every_use_and_labels_that_are_not_known_allow_nothing() {
    let world = world();
    let refused = |namespace: &str| try_access(&world, namespace, "shared").err().expect("refused").to_string();
    assert!(refused("any").contains("cannot be read: they have not been read yet. Nothing is sent"), "{}", refused("any"));
    assert!(world.accounts.opens("any", "rm-1") && !world.accounts.opens("any", "rm-2"), "what may be allowed may hold the instance");
    label(&world, "any", "silver");
    assert!(refused("any").contains("does not allow namespace \"any\""), "{}", refused("any"));
    label(&world, "any", "gold");
    let access = try_access(&world, "any", "shared").unwrap();
    create(&access).await;
    assert_eq!(world.sent(), 1);
    // The label goes while a request waits for the limits.
    let (outcome, ()) = tokio::join!(create(&access), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        label(&world, "any", "silver");
    });
    assert!(withdrawn(&outcome), "{outcome:?}");
    assert_eq!((read(&access).await, world.sent()), (Some(CallError::Withdrawn), 1));
    label(&world, "any", "gold");
    assert_ne!(read(&access).await, Some(CallError::Withdrawn));
    world.accounts.labels().note("any", Err("the operator may not get the Namespace".to_owned()));
    assert_eq!(read(&access).await, Some(CallError::Withdrawn), "in doubt nothing is sent");
    assert!(refused("any").contains("may not get the Namespace"), "{}", refused("any"));
    label(&world, "any", "gold");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(read(&access).await, Some(CallError::Withdrawn), "labels of a minute ago are not known");
    assert_eq!(world.sent(), 2);
}
