//! The five calls that a backup needs.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use secrecy::ExposeSecret;
use serde_json::Value;
use tracing::debug;

use super::{
    ApiError, BackupId, BackupSet, BackupTask, CallError, Credentials, Endpoint, ErrorKind, Instance, InstanceId, JobId, Limits,
    limit::Limiter,
    sign::{Canonical, sha256_hex},
    transport::{Failure, Reply, Transport},
    wire,
};
use crate::clock::Clock;

/// The version of the API.
const VERSION: &str = "2014-08-15";

/// How long a call waits for its turn: a request that was announced must leave soon, a read can wait.
const CREATE_TURN: Duration = Duration::from_secs(5);
const READ_TURN: Duration = Duration::from_secs(10);

/// Rows of one page; the service allows 30, 50 and 100.
const PAGE: usize = 100;

/// 10,000 sets: more than 20 a day for a year. What has more pages is not silently cut.
const MOST_PAGES: usize = 100;

/// Smaller differences are the `Date` header's rounding and the way.
const SMALLEST_OFFSET: SignedDuration = SignedDuration::from_secs(2);

/// A clock that is further away is a proxy's or a captive portal's.
const LARGEST_OFFSET: SignedDuration = SignedDuration::from_hours(24);

/// How a client is made.
#[derive(Clone)]
pub struct ClientOptions {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// `RegionId` of the reads; the host alone does not always say it.
    pub region_id: Option<String>,
    /// How fast it may ask.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Nonces of reads; those of CreateBackup are decided by the caller.
    pub nonce_source: Arc<dyn Fn() -> String + Send + Sync>,
    /// The longest time to connect; default 5 s.
    pub connect_timeout: Duration,
    /// The longest time of a whole call, the answer's body included; default 30 s.
    pub call_timeout: Duration,
}

impl ClientOptions {
    /// The defaults, for an endpoint.
    pub fn new(endpoint: Endpoint, clock: Clock, nonce_source: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        let (connect_timeout, call_timeout) = (Duration::from_secs(5), Duration::from_secs(30));
        Self { endpoint, region_id: None, limits: Limits::default(), clock, nonce_source, connect_timeout, call_timeout }
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientError(#[from] reqwest::Error);

/// The nonce and the signed time of one request. The service refuses a nonce that it has seen, and a time older than 15 minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `x-acs-signature-nonce`
    pub nonce: String,
    /// `x-acs-date`, to the second.
    pub timestamp: Timestamp,
}

/// A CreateBackup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBackup {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupMethod`
    pub method: Option<String>,
    /// `BackupStrategy`
    pub strategy: Option<String>,
    /// `DBName`: one text, joined by commas; an array is refused.
    pub databases: Vec<String>,
    /// `BackupType`
    pub backup_type: Option<String>,
    /// `BackupRetentionPeriod`
    pub retention_days: Option<i64>,
    /// `ResourceGroupId`
    pub resource_group_id: Option<String>,
}

/// What is known after one CreateBackup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// A job was begun.
    Accepted {
        /// The job.
        job_id: JobId,
        /// `RequestId`
        request_id: Option<String>,
    },
    /// Surely nothing was begun.
    Rejected(Rejection),
    /// A job may have been begun, or may yet be.
    Unknown(Unknown),
}

/// Why nothing was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The service refused.
    Api(ApiError),
    /// The request never left.
    NotSent {
        /// Why.
        why: String,
    },
}

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// In words.
    pub why: String,
    /// The service's error, where it answered one that proves nothing.
    pub api: Option<ApiError>,
}

/// An answer, and what came with it.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// `RequestId`
    pub request_id: Option<String>,
    /// The service's time when it answered, by its `Date`.
    pub service_time: Option<Timestamp>,
}

/// Which sets DescribeBackups is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetQuery {
    /// `DBInstanceId`
    pub instance: InstanceId,
    /// `BackupId`: this one only.
    pub backup_id: Option<BackupId>,
    /// `BackupMode=Manual`
    pub manual_only: bool,
    /// From when on; rounded down to the minute.
    pub from: Option<Timestamp>,
    /// Until when; rounded up to the minute. Where only `from` is given, an hour from now: whether the service compares starts or ends is not
    /// documented.
    pub to: Option<Timestamp>,
}

/// A client of one account and region.
pub struct Client {
    options: ClientOptions,
    transport: Transport,
    creates: Limiter,
    reads: Limiter,
    offset: Mutex<SignedDuration>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.options.endpoint)
    }
}

impl Client {
    /// Sets up a client; nothing is sent yet.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let transport = Transport::new(options.connect_timeout, options.call_timeout)?;
        let (creates, reads) = (Limiter::new(options.limits.create_per_second), Limiter::new(options.limits.describe_per_second));
        Ok(Self { options, transport, creates, reads, offset: Mutex::new(SignedDuration::ZERO) })
    }

    /// How far the service's clock is ahead of ours, by its newest answer. Zero while they differ by less than 2 s.
    pub fn clock_offset(&self) -> SignedDuration {
        *self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.options.clock.now() + self.clock_offset()
    }

    /// CreateBackup, sent once, with exactly this nonce and time.
    /// <https://help.aliyun.com/document_detail/26272.html>
    pub async fn create_backup(&self, credentials: &Credentials, request: &CreateBackup, stamp: &Stamp) -> CreateOutcome {
        let CreateBackup { instance, method, strategy, databases, backup_type, retention_days, resource_group_id } = request;
        let mut params = vec![pair("DBInstanceId", instance.as_str())];
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
        params.extend(optional.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| pair(name, value))));

        if let Err(wait) = self.creates.turn(CREATE_TURN).await {
            return CreateOutcome::Rejected(Rejection::NotSent { why: format!("the account's own limit leaves no turn for {} s", wait.as_secs()) });
        }
        let reply = match self.send("CreateBackup", params, credentials, stamp).await {
            Ok(reply) => reply,
            Err(Failure::NotSent(why)) => return CreateOutcome::Rejected(Rejection::NotSent { why }),
            Err(Failure::Lost(why)) => return CreateOutcome::Unknown(Unknown { why, api: None }),
        };
        match understood(&reply) {
            Ok(body) => match wire::job_id(&body) {
                Some(job_id) => CreateOutcome::Accepted { job_id, request_id: wire::request_id(&body) },
                None => CreateOutcome::Unknown(Unknown { why: "the answer has no BackupJobId".to_owned(), api: None }),
            },
            Err(CallError::Api(error)) => {
                if error.kind() == ErrorKind::Throttled {
                    self.creates.slow_down(reply.retry_after);
                }
                if error.kind().proves_nothing_was_created() {
                    CreateOutcome::Rejected(Rejection::Api(error))
                } else {
                    CreateOutcome::Unknown(Unknown { why: format!("the service answered {}", error.code), api: Some(error) })
                }
            }
            Err(CallError::NotSent { why } | CallError::Lost { why }) => CreateOutcome::Unknown(Unknown { why, api: None }),
        }
    }

    /// DescribeBackupTasks: the jobs that run, or one job by its id, which may have ended.
    /// <https://help.aliyun.com/document_detail/610523.html>
    pub async fn describe_backup_tasks(&self, credentials: &Credentials, instance: &InstanceId, job: Option<&JobId>) -> Result<Answer<Vec<BackupTask>>, CallError> {
        let mut params = vec![pair("DBInstanceId", instance.as_str())];
        params.extend(job.map(|job| pair("BackupJobId", job.as_str())));
        let answer = self.read("DescribeBackupTasks", params, credentials).await?;
        Ok(answer.map(|body| wire::tasks(&body)))
    }

    /// DescribeBackups, all pages of it.
    /// <https://help.aliyun.com/document_detail/26273.html>
    pub async fn describe_backups(&self, credentials: &Credentials, query: &SetQuery) -> Result<Answer<Vec<BackupSet>>, CallError> {
        let mut found: Vec<BackupSet> = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut params = vec![pair("DBInstanceId", query.instance.as_str()), pair("PageSize", &PAGE.to_string()), pair("PageNumber", &page.to_string())];
            params.extend(query.backup_id.as_ref().map(|id| pair("BackupId", id.as_str())));
            if query.manual_only {
                params.push(pair("BackupMode", "Manual"));
            }
            if let Some(from) = query.from {
                let to = query.to.unwrap_or_else(|| self.now() + SignedDuration::from_hours(1));
                params.push(pair("StartTime", &minute(from)));
                params.push(pair("EndTime", &minute(to + SignedDuration::from_secs(59))));
            }
            let answer = self.read("DescribeBackups", params, credentials).await?;
            let rows = wire::rows(&answer.value);
            // A set that moved to the next page while a newer one was added is met twice.
            for set in wire::sets(&answer.value) {
                if !found.iter().any(|known| known.backup_id == set.backup_id) {
                    found.push(set);
                }
            }
            if rows < PAGE {
                return Ok(Answer { value: found, request_id: answer.request_id, service_time: answer.service_time });
            }
        }
        Err(CallError::Lost { why: format!("the listing of backup sets has more than {MOST_PAGES} pages") })
    }

    /// DescribeDBInstanceAttribute
    /// <https://help.aliyun.com/document_detail/26231.html>
    pub async fn describe_instance(&self, credentials: &Credentials, instance: &InstanceId) -> Result<Answer<Instance>, CallError> {
        let answer = self.read("DescribeDBInstanceAttribute", vec![pair("DBInstanceId", instance.as_str())], credentials).await?;
        match wire::instance(&answer.value, instance) {
            Some(value) => Ok(Answer { value, request_id: answer.request_id, service_time: answer.service_time }),
            None => Err(CallError::Lost { why: format!("the answer does not describe {instance}") }),
        }
    }

    /// A read. One that the service finds too fast slows the reads that follow.
    async fn read(&self, action: &'static str, mut params: Vec<(String, String)>, credentials: &Credentials) -> Result<Answer<Value>, CallError> {
        if let Some(region) = &self.options.region_id {
            params.push(pair("RegionId", region));
        }
        if let Err(wait) = self.reads.turn(READ_TURN).await {
            return Err(CallError::NotSent { why: format!("the account's own limit leaves no turn for {} s", wait.as_secs()) });
        }
        let stamp = Stamp { nonce: (self.options.nonce_source)(), timestamp: self.now() };
        let reply = self.send(action, params, credentials, &stamp).await.map_err(|failure| match failure {
            Failure::NotSent(why) => CallError::NotSent { why },
            Failure::Lost(why) => CallError::Lost { why },
        })?;
        let body = understood(&reply).inspect_err(|error| {
            if matches!(error, CallError::Api(error) if error.kind() == ErrorKind::Throttled) {
                self.reads.slow_down(reply.retry_after);
            }
        })?;
        if !wire::has_items(&body) {
            return Err(CallError::Lost { why: "the answer has no Items".to_owned() });
        }
        Ok(Answer { request_id: wire::request_id(&body), service_time: reply.date, value: body })
    }

    /// Signs and sends one request.
    async fn send(&self, action: &'static str, params: Vec<(String, String)>, credentials: &Credentials, stamp: &Stamp) -> Result<Reply, Failure> {
        let date = Timestamp::from_second(stamp.timestamp.as_second()).unwrap_or(stamp.timestamp).to_string();
        let mut headers = vec![
            pair("host", &self.options.endpoint.host_header()),
            pair("x-acs-action", action),
            pair("x-acs-version", VERSION),
            pair("x-acs-date", &date),
            pair("x-acs-signature-nonce", &stamp.nonce),
            pair("x-acs-content-sha256", &sha256_hex(b"")),
        ];
        headers.extend(credentials.security_token.as_ref().map(|token| pair("x-acs-security-token", token.expose_secret())));
        let canonical = Canonical::new("POST", &params, &headers, b"");
        headers.push(pair("authorization", &canonical.authorization(&credentials.access_key_id, credentials.access_key_secret.expose_secret())));
        headers.push(pair("accept", "application/json"));
        let result = self.transport.post(self.options.endpoint.with_query(&canonical.query), &headers).await;
        match &result {
            Ok(reply) => {
                self.tell_time(reply.date);
                debug!(action, status = reply.status, bytes = reply.body.len(), "answered");
            }
            Err(Failure::NotSent(why)) => debug!(action, why, "not sent"),
            Err(Failure::Lost(why)) => debug!(action, why, "lost"),
        }
        result
    }

    fn tell_time(&self, date: Option<Timestamp>) {
        let Some(date) = date else { return };
        // `Date` has whole seconds: on average half a second has passed.
        let offset = (date + SignedDuration::from_millis(500)).duration_since(self.options.clock.now());
        let offset = if offset.abs() < SMALLEST_OFFSET { SignedDuration::ZERO } else { offset };
        if offset.abs() <= LARGEST_OFFSET {
            *self.offset.lock().unwrap_or_else(PoisonError::into_inner) = offset;
        }
    }
}

impl<T> Answer<T> {
    fn map<U>(self, read: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: read(self.value), request_id: self.request_id, service_time: self.service_time }
    }
}

/// The body of a good answer, or what is wrong with it. Bodies themselves are never shown: they may hold signed addresses.
fn understood(reply: &Reply) -> Result<Value, CallError> {
    let Reply { status, body, .. } = reply;
    let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
        return Err(CallError::Lost { why: format!("status {status} with {} bytes that are no JSON", body.len()) });
    };
    if let Some(error) = wire::error(*status, &parsed) {
        return Err(error.into());
    }
    if !(200..300).contains(status) {
        return Err(CallError::Lost { why: format!("status {status} without an error code") });
    }
    Ok(parsed)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// `yyyy-MM-ddTHH:mmZ`: seconds are refused by the service.
fn minute(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::minute;

    #[test]
    fn windows_have_minutes() {
        assert_eq!(minute("2026-01-02T03:04:59Z".parse().unwrap()), "2026-01-02T03:04Z");
    }
}
