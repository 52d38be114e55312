//! The client's calls of the simulated endpoint, which verifies signatures, nonces and times with code of its own.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rds_backup_operator::{
    clock::Clock,
    entropy::Entropy,
    rds::{
        ApiError, BackupId, BackupSet, CallError, Client, ClientOptions, CreateBackup, CreateOutcome, Disk, Engine, ErrorKind, InstanceId,
        JobId, JobState, Limits, Mode, ModeFilter, Rejection, SetQuery, SetStatus, TaskAction, Unknown,
    },
    rpc::{self, Credentials, Endpoint, SignatureVersion, Stamp},
};
use rds_backup_sandbox::rds::{
    self as simulated, Catalogue, Effect, Fault, Key, ManualClock, Nothing, Options, PRESIGNED_CANARY, Quirks, Settings,
};

const KEY: &str = "key-of-the-test";
const SECRET: &str = "secret-of-the-test";
const TOKEN: &str = "token-of-the-test";

/// A simulated endpoint whose time stands still until it is moved, and a client of it.
struct World {
    endpoint: simulated::Endpoint,
    clock: Arc<ManualClock>,
    client: Client,
}

impl World {
    async fn new(settings: Settings) -> Self {
        Self::signing(SignatureVersion::V3, settings).await
    }

    async fn signing(signature: SignatureVersion, settings: Settings) -> Self {
        LazyLock::force(&LOG);
        let clock = Arc::new(ManualClock::new(Clock::system().now()));
        let keys = vec![
            Key::new(KEY, SECRET),
            Key::new("STS.temporary", SECRET).token(TOKEN),
            Key::new("key-denied", SECRET).deny("CreateBackup"),
        ];
        let options = Options { keys, catalogue: Catalogue::default(), settings, clock: clock.clone(), ..Options::default() };
        let endpoint = simulated::Endpoint::start(options).await.unwrap();
        let client = client(&endpoint.url(), signature);
        Self { endpoint, clock, client }
    }

    fn stamp(&self) -> Stamp {
        Stamp { nonce: Entropy::system().nonce(), timestamp: self.client.now() }
    }

    async fn create(&self, instance: &str) -> CreateOutcome {
        self.client.create_backup(&credentials(), &request(instance), &self.stamp()).await
    }

    async fn accepted(&self, instance: &str) -> JobId {
        match self.create(instance).await {
            CreateOutcome::Accepted { job_id, request_id: Some(_) } => job_id,
            other => panic!("{other:?}"),
        }
    }

    async fn sets(&self, instance: &str, from: SignedDuration) -> Vec<BackupSet> {
        let query =
            SetQuery { mode: Some(ModeFilter::Manual), from: Some(self.client.now() + from), ..SetQuery::of(InstanceId::new(instance)) };
        self.client.describe_backups(&credentials(), &query).await.unwrap().value.sets
    }

    fn fault(&self, effect: Effect) {
        self.endpoint.add_fault(Fault { action: None, instance: None, times: Some(1), effect });
    }
}

fn client(url: &str, signature: SignatureVersion) -> Client {
    let entropy = Entropy::system();
    let rpc = rpc::ClientOptions {
        signature,
        call_timeout: Duration::from_secs(10),
        ..rpc::ClientOptions::new(Endpoint::parse(url).unwrap(), Clock::system(), Arc::new(move || entropy.nonce()))
    };
    let limits = Limits { create_per_second: 1000, describe_per_second: 1000 };
    Client::new(ClientOptions { rpc, limits, region_id: Some("cn-hangzhou".into()) }).unwrap()
}

fn settings() -> Settings {
    Settings {
        job_time: Duration::from_secs(60),
        job_spread: Duration::ZERO,
        lag: Duration::from_secs(60),
        latency: Duration::ZERO,
        ..Settings::default()
    }
}

fn key(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials { access_key_id: id.into(), access_key_secret: secret.into(), security_token: token.map(Into::into), expires_at: None }
}

fn credentials() -> Credentials {
    key(KEY, SECRET, None)
}

fn request(instance: &str) -> CreateBackup {
    let instance = InstanceId::new(instance);
    CreateBackup {
        instance,
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    }
}

fn refused(outcome: CreateOutcome) -> ApiError {
    match outcome {
        CreateOutcome::Rejected(Rejection::Api(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_backup_is_followed_from_the_request_to_its_set() {
    let odd = |nothing| Quirks {
        numeric_ids: true,
        numbers_as_text: true,
        numeric_counters: true,
        nothing,
        process125: true,
        single_object: true,
        extra_fields: true,
        encryption_object: true,
        ..Quirks::default()
    };
    for quirks in [
        Quirks::default(),
        odd(Nothing::Null),
        odd(Nothing::NullText),
        odd(Nothing::Absent),
        Quirks { single_object: false, ..odd(Nothing::Empty) },
    ] {
        let world = World::new(Settings { quirks: quirks.clone(), ..settings() }).await;
        let (client, id) = (&world.client, InstanceId::new("rm-mysql-1"));
        let found = client.describe_instance(&credentials(), &id).await.unwrap();
        assert!(found.service_time.is_some() && found.request_id.is_some());
        assert_eq!(
            (found.value.engine.clone(), found.value.is_running(), found.value.disk()),
            (Engine::MySql, true, Disk::Local),
            "{quirks:?}"
        );
        assert_eq!(client.describe_backup_tasks(&credentials(), &id, None).await.unwrap().value, []);
        assert_eq!(world.sets("rm-mysql-1", SignedDuration::from_hours(-24)).await, []);

        let job = world.accepted("rm-mysql-1").await;
        let running = client.describe_backup_tasks(&credentials(), &id, None).await.unwrap().value;
        assert_eq!((running.len(), &running[0].job_id, running[0].state), (1, &job, JobState::NotStarted), "{quirks:?}");
        assert_eq!((running[0].mode, running[0].action, &running[0].backup_id), (Mode::Manual, TaskAction::OnDemand, &None));

        world.clock.advance(Duration::from_secs(61));
        assert_eq!(
            client.describe_backup_tasks(&credentials(), &id, None).await.unwrap().value,
            [],
            "an ended job is found by its id only"
        );
        let task = client.describe_backup_tasks(&credentials(), &id, Some(&job)).await.unwrap().value.remove(0);
        assert_eq!((task.job_id, task.state, task.progress), (job, JobState::Finished, Some(100)), "{quirks:?}");
        let backup = task.backup_id.unwrap();
        assert_eq!(world.sets("rm-mysql-1", SignedDuration::from_mins(-10)).await, [], "the listing lags");

        world.clock.advance(Duration::from_secs(61));
        let query = SetQuery { backup_id: Some(backup.clone()), ..SetQuery::of(id) };
        let sets = client.describe_backups(&credentials(), &query).await.unwrap().value.sets;
        assert_eq!(sets, world.sets("rm-mysql-1", SignedDuration::from_mins(-10)).await);
        let set = &sets[0];
        assert_eq!(
            (sets.len(), &set.backup_id, set.status, set.mode, set.by_user, set.available),
            (1, &backup, SetStatus::Success, Mode::Manual, true, Some(true))
        );
        assert!(set.started_at < set.ended_at && set.size_bytes > Some(0) && set.consistent_time.is_some(), "{quirks:?}: {set:?}");
        assert!(!format!("{sets:?}").contains(PRESIGNED_CANARY));
        assert_eq!(world.endpoint.accepted("rm-mysql-1"), 1);
    }
}

#[tokio::test]
async fn every_field_of_a_request_arrives() {
    let world = World::new(settings()).await;
    let asked = CreateBackup {
        method: Some("Logical".into()),
        strategy: Some("db".into()),
        databases: vec!["orders".into(), "users".into()],
        retention_days: Some(30),
        resource_group_id: Some("rg *~+/ç".into()),
        ..request("rm-mysql-1")
    };
    let outcome = world.client.create_backup(&credentials(), &asked, &world.stamp()).await;
    assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
    let asked = CreateBackup { method: Some("Physical".into()), backup_type: Some("FullBackup".into()), ..request("rm-mssql-1") };
    let outcome = world.client.create_backup(&credentials(), &asked, &world.stamp()).await;
    assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
    let sent = |entry: usize| {
        world.endpoint.ledger()[entry].parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    };
    let logical = "BackupMethod=Logical&BackupRetentionPeriod=30&BackupStrategy=db&DBInstanceId=rm-mysql-1&DBName=orders,users&ResourceGroupId=rg *~+/ç";
    assert_eq!((sent(0).as_str(), sent(1).as_str()), (logical, "BackupMethod=Physical&BackupType=FullBackup&DBInstanceId=rm-mssql-1"));
}

#[tokio::test]
async fn keys_that_are_wrong_are_refused_and_not_repeated() {
    for signature in [SignatureVersion::V1, SignatureVersion::V3] {
        let world = World::signing(signature, settings()).await;
        for (credentials, kind) in [
            (key("unknown-key", SECRET, None), ErrorKind::InvalidCredentials),
            (key(KEY, "another-secret", None), ErrorKind::InvalidCredentials),
            (key("STS.temporary", SECRET, None), ErrorKind::InvalidCredentials),
            (key("STS.temporary", SECRET, Some("another-token")), ErrorKind::InvalidCredentials),
            (key("key-denied", SECRET, None), ErrorKind::AccessDenied),
        ] {
            let error = refused(world.client.create_backup(&credentials, &request("rm-mysql-1"), &world.stamp()).await);
            assert_eq!(error.kind(), kind, "{error:?}");
            let shown = format!("{error} {error:?} {credentials:?}");
            assert!([credentials.access_key_id.as_str(), "another-", SECRET].iter().all(|secret| !shown.contains(secret)), "{shown}");
        }
        let temporary = key("STS.temporary", SECRET, Some(TOKEN));
        let outcome = world.client.create_backup(&temporary, &request("rm-mysql-1"), &world.stamp()).await;
        assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
        assert_eq!(world.endpoint.accepted("rm-mysql-1"), 1);
    }
}

#[tokio::test]
async fn a_used_stamp_proves_nothing_and_an_old_one_is_refused() {
    let world = World::new(settings()).await;
    let stamp = world.stamp();
    let first = world.client.create_backup(&credentials(), &request("rm-mysql-1"), &stamp).await;
    assert!(matches!(first, CreateOutcome::Accepted { .. }), "{first:?}");
    match world.client.create_backup(&credentials(), &request("rm-mysql-1"), &stamp).await {
        CreateOutcome::Unknown(Unknown { api: Some(error), .. }) => assert_eq!(error.kind(), ErrorKind::NonceUsed),
        other => panic!("{other:?}"),
    }
    match world.create("rm-mysql-1").await {
        CreateOutcome::Unknown(Unknown { api: Some(error), .. }) => assert_eq!(error.kind(), ErrorKind::BackupJobExists),
        other => panic!("{other:?}"),
    }
    let old = Stamp { timestamp: world.client.now() - SignedDuration::from_secs(15 * 60 + 5), ..world.stamp() };
    let error = refused(world.client.create_backup(&credentials(), &request("rm-mysql-2"), &old).await);
    assert_eq!(error.kind(), ErrorKind::ClockSkew);
    assert_eq!((world.endpoint.accepted("rm-mysql-1"), world.endpoint.accepted("rm-mysql-2")), (1, 0));
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_first_answer() {
    let world = World::new(settings()).await;
    // Also later: the service refuses the time of the request, so its own is believed at once.
    for offset in [7200i64, 0, 3600, -7200, 0] {
        world.endpoint.update(|settings| settings.clock_offset_ms = offset * 1000);
        let id = InstanceId::new("rm-mysql-1");
        // Every answer of the service, also a refusal, has the service's time.
        let first = world.client.describe_instance(&credentials(), &id).await;
        assert!(first.is_ok() || matches!(&first, Err(CallError::Api(error)) if error.kind() == ErrorKind::ClockSkew), "{first:?}");
        let off = world.client.clock_offset() - SignedDuration::from_secs(offset);
        assert!(off.abs() < SignedDuration::from_secs(3), "{offset}: {off}");
        let answer = world.client.describe_instance(&credentials(), &id).await.unwrap();
        let told: Timestamp = answer.service_time.unwrap();
        assert!(told.duration_since(world.client.now()).abs() < SignedDuration::from_secs(3), "{told}");
    }
    assert_eq!(world.client.clock_offset(), SignedDuration::ZERO);
}

#[tokio::test]
async fn what_is_lost_is_unknown_whether_it_was_done_or_not() {
    let world = World::new(settings()).await;
    for (effect, done) in [
        (Effect::DropBefore, 0),
        (Effect::LoseAnswer, 1),
        (Effect::Reset { executed: true }, 1),
        (Effect::Status5xx { status: 502, executed: true }, 1),
        (Effect::Status5xx { status: 503, executed: false }, 0),
        (Effect::Garbage { body: simulated::Garbage::Huge, executed: true }, 1),
        (Effect::Garbage { body: simulated::Garbage::Nested, executed: true }, 1),
        (Effect::Hold { ms: 100, executed: true }, 1),
    ] {
        let name = format!("rm-mysql-{effect:?}").replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "");
        world.fault(effect);
        let outcome = world.create(&name).await;
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{name}: {outcome:?}");
        assert_eq!(world.endpoint.accepted(&name), done, "{name}");
    }
    // The network delivers the request twice: the service refuses the copy by its nonce, whichever answer comes back.
    world.fault(Effect::Duplicate { answer: simulated::Delivery::First });
    world.accepted("rm-mysql-twice").await;
    assert_eq!(world.endpoint.accepted("rm-mysql-twice"), 1);
}

#[tokio::test]
async fn a_pause_that_the_service_asks_for_is_kept() {
    let world = World::new(settings()).await;
    world.fault(Effect::Throttle { retry_after_ms: Some(20_000) });
    assert_eq!(refused(world.create("rm-mysql-1").await).kind(), ErrorKind::Throttled);
    // The service counts per account, and 20 s is longer than a create or a read may wait.
    let create = world.create("rm-mysql-2").await;
    assert!(matches!(create, CreateOutcome::Rejected(Rejection::Paused { .. })), "{create:?}");
    let read = world.client.describe_instance(&credentials(), &InstanceId::new("rm-mysql-1")).await;
    assert!(matches!(read, Err(CallError::Paused { wait }) if wait > Duration::from_secs(15)), "{read:?}");
    assert_eq!(world.endpoint.calls().len(), 1);
}

#[tokio::test]
async fn a_listing_of_many_pages_is_read_whole() {
    let world = World::new(Settings { job_time: Duration::from_secs(1), lag: Duration::ZERO, daily_limit: 1000, ..settings() }).await;
    for _ in 0..230 {
        world.accepted("rm-mysql-1").await;
        world.clock.advance(Duration::from_secs(2));
    }
    let sets = world.sets("rm-mysql-1", SignedDuration::from_hours(-1)).await;
    assert_eq!(sets.len(), 230);
    let listings = world.endpoint.calls().iter().filter(|call| call.action == "DescribeBackups").count();
    assert_eq!(listings, 3);
    let newest = world.sets("rm-mysql-1", SignedDuration::from_secs(-120)).await.len();
    assert!((30..=90).contains(&newest), "the last 2 minutes and up to one more: {newest}");
}

#[tokio::test]
async fn sets_with_addresses_for_hundreds_of_databases_are_listed() {
    let quirks = Quirks { linked_databases: 300, ..Quirks::default() };
    for xml_answers in [false, true] {
        let quirks = Quirks { xml_answers, ..quirks.clone() };
        let world = World::new(Settings { job_time: Duration::from_secs(1), lag: Duration::ZERO, quirks, ..settings() }).await;
        for _ in 0..19 {
            world.accepted("rm-mysql-1").await;
            world.clock.advance(Duration::from_secs(2));
        }
        assert_eq!(world.sets("rm-mysql-1", SignedDuration::from_hours(-1)).await.len(), 19);
        let listings = world.endpoint.calls().iter().filter(|call| call.action == "DescribeBackups").count();
        assert_eq!(listings, 1, "it is read in one page");
    }
}

#[tokio::test]
async fn a_set_that_is_not_listed_yet_is_none_whichever_way_the_service_says_so() {
    for unlisted_set_is_an_error in [false, true] {
        let quirks = Quirks { unlisted_set_is_an_error, ..Quirks::default() };
        let world = World::new(Settings { job_time: Duration::from_secs(1), lag: Duration::from_secs(60), quirks, ..settings() }).await;
        world.accepted("rm-mysql-1").await;
        world.clock.advance(Duration::from_secs(30));
        let id = BackupId::new(world.endpoint.sets("rm-mysql-1")[0].backup_id.clone());
        let query = SetQuery { backup_id: Some(id), ..SetQuery::of(InstanceId::new("rm-mysql-1")) };
        assert_eq!(world.client.describe_backups(&credentials(), &query).await.unwrap().value.sets, []);
        world.clock.advance(Duration::from_secs(40));
        assert_eq!(world.client.describe_backups(&credentials(), &query).await.unwrap().value.sets.len(), 1);
    }
}

#[tokio::test]
async fn a_wrong_date_is_no_time_of_the_service() {
    let world = World::new(settings()).await;
    let id = InstanceId::new("rm-mysql-1");
    for hours in [0, 30, -30, -492_396] {
        world.endpoint.update(|settings| settings.quirks.date_offset_ms = hours * 3_600_000);
        let told = world.client.describe_instance(&credentials(), &id).await.unwrap().service_time;
        assert_eq!((told.is_some(), world.client.clock_offset()), (hours == 0, SignedDuration::ZERO), "{hours} h");
    }
}

#[tokio::test]
async fn an_instance_that_does_not_exist_is_an_error_of_every_call() {
    let world = World::new(settings()).await;
    let id = InstanceId::new("rm-unknown-1");
    assert_eq!(refused(world.create("rm-unknown-1").await).kind(), ErrorKind::InstanceNotFound);
    let query = SetQuery::of(id.clone());
    let errors = [
        world.client.describe_instance(&credentials(), &id).await.unwrap_err(),
        world.client.describe_backup_tasks(&credentials(), &id, None).await.unwrap_err(),
        world.client.describe_backups(&credentials(), &query).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| matches!(error, CallError::Api(error) if error.kind() == ErrorKind::InstanceNotFound)), "{errors:?}");
}

/// The log of all tests of this binary: a subscriber of one thread misses events whose call site another thread reached first.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || writer.clone()).init();
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    for signature in [SignatureVersion::V1, SignatureVersion::V3] {
        let world = World::signing(signature, Settings { job_time: Duration::from_secs(1), lag: Duration::ZERO, ..settings() }).await;
        let temporary = key("STS.temporary", SECRET, Some(TOKEN));
        let outcome = world.client.create_backup(&temporary, &request("rm-mysql-1"), &world.stamp()).await;
        assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{outcome:?}");
        refused(world.client.create_backup(&key("STS.temporary", "wrong", Some(TOKEN)), &request("rm-mysql-1"), &world.stamp()).await);
        world.clock.advance(Duration::from_secs(2));
        assert_eq!(world.sets("rm-mysql-1", SignedDuration::from_hours(-1)).await.len(), 1);
        world.fault(Effect::LoseAnswer);
        world.create("rm-mysql-2").await;
    }

    let text = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    for told in ["CreateBackup", "rm-mysql-1", "http_status=200", "SignatureDoesNotMatch", "no answer"] {
        assert!(text.contains(told), "{told} in {text}");
    }
    for secret in [SECRET, TOKEN, "STS.temporary", KEY, "Signature=", PRESIGNED_CANARY] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
