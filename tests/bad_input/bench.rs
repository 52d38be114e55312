//! One object on a test bench: the real client calls the simulated endpoint and the real decision is made, without a process or an API
//! server.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rds_backup_operator::{
    accounts::{AllowedRegions, Poll, Protocol, Submissions},
    api::{ConditionType, RdsBackup, RdsBackupStatus},
    backup::{
        decide::{Decision, decide},
        memory::{Memory, OwnIntent},
        observation::{AccountView, Observation, Randomness},
        pass::{Pass, Stage},
        request::{Answer, CloudFinding, CloudRead, Next, Observed, Present, Request},
        state::ObjectState,
    },
    clock::Clock,
    entropy::Entropy,
    rds::{self, CallError, Client, ClientOptions, CreateBackup, CreateOutcome, InstanceId, Limits, ModeFilter, SetQuery},
    rpc::{self, Credentials, Endpoint, SignatureVersion, Stamp},
};
use rds_backup_sandbox::rds::{self as simulated, Catalogue, Engine, InstanceSpec, Key, Options, Settings};
use serde_json::Value;

pub const KEY: &str = "key-of-the-test";
pub const SECRET: &str = "secret-of-the-test";

/// Each engine on each kind of disk that it can have: the pattern of the instances, the engine, the disk.
pub const KINDS: [(&str, Engine, &str); 7] = [
    ("rm-mysql-local", Engine::MySQL, "local_ssd"),
    ("rm-mysql-cloud", Engine::MySQL, "cloud_essd"),
    ("pgm-local", Engine::PostgreSQL, "local_ssd"),
    ("pgm-cloud", Engine::PostgreSQL, "general_essd"),
    ("rm-mssql-local", Engine::SQLServer, "local_ssd"),
    ("rm-mssql-cloud", Engine::SQLServer, "cloud_ssd"),
    ("rm-maria-cloud", Engine::MariaDB, "cloud_essd"),
];

/// A simulated endpoint with every kind of instance, and a client of it.
pub struct Bench {
    pub endpoint: simulated::Endpoint,
    pub client: Client,
    entropy: Entropy,
}

impl Bench {
    pub async fn new(signature: SignatureVersion) -> Self {
        let mut catalogue = Catalogue::empty();
        for (name, engine, disk) in KINDS {
            catalogue = catalogue.with(&format!("{name}-*"), InstanceSpec::new(engine, "1", disk));
        }
        let options = Options {
            keys: vec![Key::new(KEY, SECRET)],
            catalogue,
            settings: Settings { latency: Duration::ZERO, ..Settings::default() },
            ..Options::default()
        };
        let endpoint = simulated::Endpoint::start(options).await.expect("a port");
        let entropy = Entropy::system();
        let nonces = entropy.clone();
        let at = Endpoint::parse(&endpoint.url()).expect("loopback");
        let rpc = rpc::ClientOptions { signature, ..rpc::ClientOptions::new(at, Clock::system(), Arc::new(move || nonces.nonce())) };
        let limits = Limits { create_per_second: 100_000, describe_per_second: 100_000 };
        let options = ClientOptions { limits, ..ClientOptions::new(rpc) };
        Self { endpoint, client: Client::new(options).expect("a client"), entropy }
    }

    pub fn credentials(&self) -> Credentials {
        Credentials { access_key_id: KEY.into(), access_key_secret: SECRET.to_owned().into(), security_token: None, expires_at: None }
    }

    /// Sends the request to the endpoint without the operator's checks. Returns the code of the refusal, or None.
    pub async fn judged(&self, request: &CreateBackup) -> Option<String> {
        match self.client.create_backup(&self.credentials(), request, &self.stamp()).await {
            CreateOutcome::Accepted { .. } => None,
            CreateOutcome::Rejected(rds_backup_operator::rds::Rejection::Api(error)) => Some(error.code),
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// One read, as the operator makes it.
    async fn read(&self, instance: &InstanceId, what: CloudRead) -> Result<CloudFinding, CallError> {
        let (client, credentials) = (&self.client, self.credentials());
        let mut query = SetQuery::of(instance.clone());
        match what {
            CloudRead::Attributes => {
                let told = client.describe_instance(&credentials, instance).await?;
                return Ok(CloudFinding::Attributes(Box::new(told.value)));
            }
            CloudRead::Tasks(job) => {
                return client.describe_backup_tasks(&credentials, instance, job.as_ref()).await.map(CloudFinding::Tasks);
            }
            CloudRead::Policy => {
                return client.describe_backup_policy(&credentials, instance).await.map(|told| CloudFinding::Policy(told.value));
            }
            CloudRead::ManualSets(from) => (query.mode, query.from) = (Some(ModeFilter::Manual), Some(from)),
            CloudRead::Set(id) => query.backup_id = Some(id),
        }
        let told = client.describe_backups(&credentials, &query).await?;
        Ok(CloudFinding::Sets(rds::Answer { value: told.value.sets, request_id: told.request_id, service_time: told.service_time }))
    }

    pub fn stamp(&self) -> Stamp {
        Stamp { nonce: self.entropy.nonce(), timestamp: self.client.now() }
    }
}

/// A new object, its process memory, and the decisions about it.
pub struct Case {
    pub object: RdsBackup,
    pub status: RdsBackupStatus,
    pub memory: Memory,
    now: Timestamp,
}

impl Case {
    pub fn of(spec: &Value) -> Self {
        let mut object = RdsBackup::new("b", serde_json::from_value(spec.clone()).expect("a spec"));
        object.metadata.uid = Some("uid-1".into());
        object.metadata.namespace = Some("team-a".into());
        object.metadata.generation = Some(1);
        let now = Clock::system().now();
        object.metadata.creation_timestamp = Some(Time(now));
        Self { object, status: RdsBackupStatus::fresh(), memory: Memory::default(), now }
    }

    /// Runs a pass with its reads, until it wants to write.
    pub async fn preflight(&mut self, bench: &Bench) -> Decision {
        let mut pass = Pass::start(Arc::new(self.object.clone()));
        let (mut state, mut answer) = (ObjectState::default(), Answer::Begin);
        let present = Present { steady: tokio::time::Instant::now(), leads: true, is_burst: false };
        loop {
            let Next::Do(request) = pass.next(&mut state, answer, present) else { panic!("nothing was written: {pass:?}") };
            answer = match request {
                Request::Observe { .. } => Answer::Observed(Box::new(Observed {
                    now: self.now,
                    time_is_known: true,
                    server_now: None,
                    audited: None,
                    account: Ok(account()),
                    cached: Vec::new(),
                    claims: Ok(()),
                    namespace: Ok(Submissions::Enabled),
                    randomness: randomness(),
                })),
                Request::LockInstance => Answer::Locked(true),
                Request::Admit => Answer::Admitted(Ok(())),
                Request::RenewCredentials => Answer::Renewed(false),
                Request::Read { instance, what } => Answer::Read { at: self.now, result: bench.read(&instance, what).await },
                _ => break,
            };
        }
        self.memory = state.memory;
        match pass.stage() {
            Stage::Reread(decided) | Stage::Write(decided) => self.take(decided.decision.clone()),
            stage => panic!("nothing was to be written: {stage:?}"),
        }
    }

    /// Decides for an object whose intent was written and cleared and whose request was answered with `outcome`.
    pub fn answered(&mut self, answer: CreateOutcome) -> Decision {
        let submission = self.status.submission.as_mut().expect("an intent");
        submission.cleared = true;
        let own = OwnIntent { nonce: submission.nonce.clone(), rival: Some(None), sent: true, answer: Some(answer) };
        self.memory.own = Some(own);
        let decision = self.decide();
        self.take(decision)
    }

    pub fn message(&self) -> &str {
        self.status.condition(ConditionType::Ready).map_or("", |ready| &ready.message)
    }

    pub fn reason(&self) -> &str {
        self.status.ready_reason().unwrap_or("")
    }

    pub fn is_stalled(&self) -> bool {
        self.status.is_true(ConditionType::Stalled)
    }

    fn decide(&self) -> Decision {
        let (account, randomness) = (Ok(account()), randomness());
        let seen = Observation {
            object: &self.object,
            status: &self.status,
            account: &account,
            siblings: &[],
            claims: &Ok(()),
            namespace: &Ok(Submissions::Enabled),
            server_now: None,
            audited: None,
            memory: &self.memory,
            time_is_known: true,
            randomness: &randomness,
        };
        decide(&self.object.spec, &seen, self.now)
    }

    fn take(&mut self, decision: Decision) -> Decision {
        self.status = decision.status.clone();
        decision
    }
}

fn account() -> AccountView {
    AccountView {
        connection: 0,
        key_source: "the Secret rds-key in the operator's namespace".to_owned(),
        region_id: "cn-hangzhou".into(),
        regions: AllowedRegions::new(["*".into()]),
        protocol: Protocol::default(),
        poll: Poll::default(),
        paused: false,
        credentials: Ok(()),
    }
}

fn randomness() -> Randomness {
    Randomness { nonce: "nonce-a".into(), pause: SignedDuration::from_secs(2) }
}
