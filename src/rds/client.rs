//! The four calls that a backup needs.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use super::{
    Answer, ApiError, BackupTask, CallError, CreateBackup, CreateOutcome, Credentials, Endpoint, ErrorKind, Instance, InstanceId, JobId,
    Limits, Rejection, SetList, SetQuery, SignatureVersion, Stamp, Unknown,
    listing::{self, Listing},
    wire,
};
use crate::{
    clock::Clock,
    rpc::{
        clock_offset::Skew,
        decode,
        limit::Limiter,
        redact::Hidden,
        sign::{self, Signed, Unsigned},
        transport::{Carrier, Failure, Sockets, Transport},
    },
};

/// How long a call waits for its turn. A request that was announced must leave soon or not at all; a read can wait.
const CREATE_TURN: Duration = Duration::from_secs(5);
const READ_TURN: Duration = Duration::from_secs(10);

/// Callers that a client has room for at a time. More would add nothing to the pace but stand in the way of other accounts: whoever works on
/// objects can only work on so many, and those of a slow or throttled account would be all of them (found by tests/faults: 60 backups that
/// take 18 s alone took 280 s beside an account that was throttled).
const ROOM: usize = 8;

/// The right to ask, for as long as it is held.
pub type Admission = OwnedSemaphorePermit;

/// How a client is made.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// `RegionId` of the reads: a central host serves several regions. CreateBackup has no such parameter.
    pub region_id: Option<String>,
    /// How requests are signed.
    pub signature: SignatureVersion,
    /// How fast it may ask.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Nonces of reads; those of CreateBackup are decided by the caller.
    pub nonce_source: Arc<dyn Fn() -> String + Send + Sync>,
    /// The longest time to connect; default 5 s.
    pub connect_timeout: Duration,
    /// The longest time of a whole call, connecting and the answer's body included; default 30 s.
    pub call_timeout: Duration,
    /// What carries the requests; default: sockets.
    pub carrier: Option<Arc<dyn Carrier>>,
}

impl ClientOptions {
    /// The defaults, for an endpoint.
    pub fn new(endpoint: Endpoint, clock: Clock, nonce_source: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        let (connect_timeout, call_timeout) = (Duration::from_secs(5), Duration::from_secs(30));
        Self {
            endpoint,
            region_id: None,
            signature: SignatureVersion::default(),
            limits: Limits::default(),
            clock,
            nonce_source,
            connect_timeout,
            call_timeout,
            carrier: None,
        }
    }
}

/// Why a client could not be made: above all, that the system has no CA certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientError(String);

/// A client of one account and region: its limits and its idea of the service's clock are shared by all its calls.
pub struct Client {
    options: ClientOptions,
    transport: Transport,
    creates: Limiter,
    reads: Limiter,
    room: Arc<Semaphore>,
    skew: Skew,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.options.endpoint)
    }
}

/// An answer, understood as far as all actions have it in common. The body itself is never shown: it may hold pre-signed addresses.
struct Heard {
    status: u16,
    bytes: usize,
    body: Option<Value>,
    error: Option<ApiError>,
    date: Option<Timestamp>,
}

impl Client {
    /// Sets up a client; nothing is sent yet.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let ClientOptions { endpoint, limits, clock, connect_timeout, call_timeout, carrier, .. } = &options;
        let carrier = match carrier {
            Some(carrier) => carrier.clone(),
            None => Arc::new(Sockets::new(endpoint.is_encrypted(), clock.clone(), *connect_timeout).map_err(ClientError)?),
        };
        let transport = Transport::new(carrier, *call_timeout);
        let (creates, reads) = (Limiter::new(limits.create_per_second), Limiter::new(limits.describe_per_second));
        Ok(Self { options, transport, creates, reads, room: Arc::new(Semaphore::new(ROOM)), skew: Skew::new() })
    }

    /// Room for one more caller; without it, when to come back. Who comes with a request that must leave now needs none.
    ///
    /// # Errors
    /// The time until there may be room.
    pub fn admit(&self) -> Result<Admission, Duration> {
        self.room.clone().try_acquire_owned().map_err(|_| self.reads.invitation())
    }

    /// How far the service's clock is ahead of ours, by its answers. Zero while they differ by less than 2 s.
    pub fn clock_offset(&self) -> SignedDuration {
        self.skew.get()
    }

    /// The service's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.options.clock.now() + self.clock_offset()
    }

    /// CreateBackup, sent once, with exactly this nonce and time. Waits at most 5 s for its turn.
    /// <https://help.aliyun.com/document_detail/26272.html>
    pub async fn create_backup(&self, credentials: &Credentials, request: &CreateBackup, stamp: &Stamp) -> CreateOutcome {
        let CreateBackup { instance, method, strategy, databases, backup_type, retention_days, resource_group_id } = request;
        let databases = (!databases.is_empty()).then(|| databases.join(","));
        let days = retention_days.map(|days| days.to_string());
        let optional = [
            ("BackupMethod", method),
            ("BackupStrategy", strategy),
            ("DBName", &databases),
            ("BackupType", backup_type),
            ("BackupRetentionPeriod", &days),
            ("ResourceGroupId", resource_group_id),
        ];
        let params = optional.into_iter().filter_map(|(name, value)| Some(pair(name, value.as_ref()?))).collect();
        if let Err(wait) = self.creates.turn(CREATE_TURN).await {
            return CreateOutcome::Rejected(Rejection::NotSent { why: no_turn(wait) });
        }
        match self.call("CreateBackup", instance, params, credentials, stamp).await {
            Ok(heard) => created(heard),
            Err(Failure::NotSent(why)) => CreateOutcome::Rejected(Rejection::NotSent { why }),
            Err(Failure::Lost(why)) => CreateOutcome::Unknown(Unknown { why, api: None }),
        }
    }

    /// DescribeBackupTasks: the jobs that run, or one job by its id, which may have ended. Waits at most 10 s for its turn.
    /// <https://help.aliyun.com/document_detail/610523.html>
    pub async fn describe_backup_tasks(
        &self,
        credentials: &Credentials,
        instance: &InstanceId,
        job: Option<&JobId>,
    ) -> Result<Answer<Vec<BackupTask>>, CallError> {
        let params = job.map(|job| pair("BackupJobId", job.as_str())).into_iter().collect();
        self.read("DescribeBackupTasks", instance, params, credentials, wire::tasks).await
    }

    /// DescribeBackups, all pages of it, at most 100. A listing that may not be whole is an error. Each page waits
    /// at most 10 s for its turn. <https://help.aliyun.com/document_detail/26273.html>
    pub async fn describe_backups(&self, credentials: &Credentials, query: &SetQuery) -> Result<Answer<SetList>, CallError> {
        // The window stays the same on all pages.
        let window = listing::window(query, self.now());
        let mut listing = Listing::new(query.page_size);
        let mut first_page_at = None;
        for page in 1..=listing::MOST_PAGES {
            let mut params = vec![pair("PageSize", &query.page_size.rows().to_string()), pair("PageNumber", &page.to_string())];
            params.extend(query.backup_id.as_ref().map(|id| pair("BackupId", id.as_str())));
            params.extend(query.status.map(|status| pair("BackupStatus", status.as_str())));
            params.extend(query.mode.map(|mode| pair("BackupMode", mode.as_str())));
            params.extend(query.backup_type.map(|kind| pair("BackupType", kind.as_str())));
            params.extend(window.iter().map(|(name, time)| pair(name, time)));
            let Answer { value, request_id, service_time } =
                self.read("DescribeBackups", &query.instance, params, credentials, wire::sets).await?;
            if page == 1 {
                first_page_at = service_time;
            }
            if listing.take(value).map_err(|why| CallError::Lost { why })? {
                return Ok(Answer { value: listing.into_list(), request_id, service_time: first_page_at });
            }
        }
        Err(CallError::Lost { why: format!("the listing of backup sets has more than {} pages", listing::MOST_PAGES) })
    }

    /// DescribeDBInstanceAttribute. Waits at most 10 s for its turn. <https://help.aliyun.com/document_detail/26231.html>
    pub async fn describe_instance(&self, credentials: &Credentials, instance: &InstanceId) -> Result<Answer<Instance>, CallError> {
        self.read("DescribeDBInstanceAttribute", instance, Vec::new(), credentials, |body| wire::instance(body, instance)).await
    }

    /// A read, with a nonce and a time of its own.
    async fn read<T>(
        &self,
        action: &'static str,
        instance: &InstanceId,
        mut params: Vec<(String, String)>,
        credentials: &Credentials,
        understand: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Answer<T>, CallError> {
        params.extend(self.options.region_id.as_ref().map(|region| pair("RegionId", region)));
        self.reads.turn(READ_TURN).await.map_err(|wait| CallError::NotSent { why: no_turn(wait) })?;
        let stamp = Stamp { nonce: (self.options.nonce_source)(), timestamp: self.now() };
        let Heard { status, bytes, body, error, date } = match self.call(action, instance, params, credentials, &stamp).await {
            Ok(heard) => heard,
            Err(Failure::NotSent(why)) => return Err(CallError::NotSent { why }),
            Err(Failure::Lost(why)) => return Err(CallError::Lost { why }),
        };
        if let Some(error) = error {
            return Err(error.into());
        }
        match body.as_ref().filter(|_| is_success(status)).and_then(|body| Some((understand(body)?, wire::request_id(body)))) {
            Some((value, request_id)) => Ok(Answer { value, request_id, service_time: date }),
            None => Err(CallError::Lost { why: unreadable(status, bytes) }),
        }
    }

    /// Signs and sends one request, and takes from its answer what every action has: the error, the service's time, its complaint about the
    /// pace.
    async fn call(
        &self,
        action: &'static str,
        instance: &InstanceId,
        mut params: Vec<(String, String)>,
        credentials: &Credentials,
        stamp: &Stamp,
    ) -> Result<Heard, Failure> {
        params.push(pair("DBInstanceId", instance.as_str()));
        let date = Timestamp::from_second(stamp.timestamp.as_second()).unwrap_or(stamp.timestamp).to_string();
        let host = self.options.endpoint.host_header();
        let unsigned = Unsigned { action, params: &params, host: &host, nonce: &stamp.nonce, date: &date, credentials };
        let Signed { query, headers, body } = sign::sign(self.options.signature, &unsigned);

        let sent = self.options.clock.now();
        let reply = self.transport.post(self.options.endpoint.with_query(query.as_deref()), &headers, body).await;
        let elapsed_ms = self.options.clock.now().duration_since(sent).as_millis();
        let reply = reply.inspect_err(|failure| match failure {
            Failure::NotSent(why) => debug!(action, %instance, elapsed_ms, why, "not sent"),
            Failure::Lost(why) => debug!(action, %instance, elapsed_ms, why, "no answer"),
        })?;
        let body = decode::body(action, &reply.body);
        let error = body.as_ref().and_then(|body| wire::error(reply.status, body, &Hidden::of(credentials)));
        let request_id = body.as_ref().and_then(wire::request_id);
        debug!(action, %instance, elapsed_ms, http_status = reply.status, code = error.as_ref().map(|error| error.code.as_str()), request_id, "answered");
        // Only what has a request id is the service's own answer; a proxy's page has a clock of its own.
        if let (Some(date), Some(_)) = (reply.date, &request_id) {
            self.skew.learn(sent, reply.received, date);
        }
        // The quota is the account's, so one complaint slows everything down.
        if error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Throttled) {
            self.creates.slow_down(reply.retry_after);
            self.reads.slow_down(reply.retry_after);
        }
        Ok(Heard { status: reply.status, bytes: reply.body.len(), body, error, date: reply.date })
    }
}

/// What an answer to CreateBackup says. It is a refusal only if its code proves it; a success that cannot be read is not one.
fn created(heard: Heard) -> CreateOutcome {
    let Heard { status, bytes, body, error, date: _ } = heard;
    if let Some(body) = body.as_ref().filter(|_| is_success(status))
        && let Some(job_id) = wire::job_id(body)
    {
        return CreateOutcome::Accepted { job_id, request_id: wire::request_id(body) };
    }
    match error {
        // Without a request id it is not the service's own answer: what stands between may have passed the request on before it refused.
        Some(error) if !is_success(status) && error.request_id.is_some() && error.proves_nothing_was_created() => {
            CreateOutcome::Rejected(Rejection::Api(error))
        }
        Some(error) => CreateOutcome::Unknown(Unknown { why: format!("the service answered {}", error.code), api: Some(error) }),
        None => CreateOutcome::Unknown(Unknown { why: unreadable(status, bytes), api: None }),
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn unreadable(status: u16, bytes: usize) -> String {
    format!("status {status} with {bytes} bytes that are no answer to the question")
}

fn no_turn(wait: Duration) -> String {
    format!("the limit of calls per second, or a pause that the service asked for, leaves no turn for {} s", wait.as_secs().max(1))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
