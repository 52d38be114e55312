//! The calls that a backup needs, from its start to its deletion.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tracing::{Instrument, debug_span};

use super::{
    call::{Answer, CreateBackup, CreateOutcome, PageSize, Rejection, SetDeletion, SetQuery, Unknown},
    error::{ApiError, CallError},
    ids::{BackupId, InstanceId, JobId},
    listing::{self, Listing},
    meaning::ErrorKind,
    model::{BackupPolicy, BackupTask, Instance, SetList},
    policy, wire,
};
use crate::rpc::{self, Api, ClientError, Credentials, Failure, LONGEST_PAUSE, Limiter, Place, Places, Response, Stamp};

/// The API that these calls belong to.
const API: Api = Api { product: "Rds", version: "2014-08-15", used: wire::USED };

/// The call that begins a backup.
const CREATE_BACKUP: &str = "CreateBackup";

/// The call that lists the sets of an instance.
const DESCRIBE_BACKUPS: &str = "DescribeBackups";

/// The call that lists the sets of a released instance.
const DESCRIBE_DETACHED_BACKUPS: &str = "DescribeDetachedBackups";

/// The call that deletes a set.
const DELETE_BACKUP: &str = "DeleteBackup";

/// How long a call waits until the limits allow it. A request that was announced must be sent soon or not at all; a read can wait.
const LONGEST_CREATE_WAIT: Duration = Duration::from_secs(5);
const LONGEST_READ_WAIT: Duration = Duration::from_secs(10);

/// How many callers a client admits at a time. More callers would not make it faster, and would hold up other accounts: the operator works
/// on a limited number of objects at a time, and the objects of a slow or throttled account would fill that number (found by tests/faults:
/// 60 backups that take 18 s alone took 280 s beside an account that was throttled).
const MOST_CALLERS: usize = 8;

/// Calls per second, for one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CreateBackup; default 5. The service publishes 50 per second and account.
    pub create_per_second: u32,
    /// Every other call; default 10: no figure is published for DescribeBackupTasks, and 10 is the commonest.
    pub describe_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { create_per_second: 5, describe_per_second: 10 }
    }
}

/// Whether what a client was given out for still holds. It is asked right before each request leaves: a call may have waited for the limits
/// for seconds, and the configuration may be another by then.
pub trait Permit: Send + Sync {
    /// Whether a read may leave.
    fn reads(&self) -> bool;
    /// Whether a CreateBackup or a DeleteBackup may leave.
    fn creates(&self) -> bool;
}

/// How a client is made.
#[derive(Clone)]
pub struct ClientOptions {
    /// How requests reach the service.
    pub rpc: rpc::ClientOptions,
    /// `RegionId` of the reads: a central host serves several regions. CreateBackup has no such parameter.
    pub region_id: Option<String>,
    /// How many calls it makes.
    pub limits: Limits,
}

impl ClientOptions {
    /// The default limits, and no region.
    pub fn new(rpc: rpc::ClientOptions) -> Self {
        Self { rpc, region_id: None, limits: Limits::default() }
    }
}

/// A client of one account and region. All its calls, and those of its clones, share its limits and what it knows of the service's clock.
#[derive(Clone)]
pub struct Client {
    rpc: Arc<rpc::Client>,
    region_id: Option<Arc<str>>,
    creates: Arc<Limiter>,
    reads: Arc<Limiter>,
    callers: Places,
    /// Whose calls these are: tenants take turns.
    tenant: Arc<str>,
    permit: Option<Arc<dyn Permit>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rpc.fmt(f)
    }
}

impl Client {
    /// Sets up a client. It sends nothing.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let ClientOptions { rpc, region_id, limits } = options;
        Ok(Self {
            rpc: Arc::new(rpc::Client::new(API, rpc)?),
            region_id: region_id.map(Arc::from),
            creates: Arc::new(Limiter::new(limits.create_per_second)),
            reads: Arc::new(Limiter::new(limits.describe_per_second)),
            callers: Places::new(MOST_CALLERS),
            tenant: Arc::from(""),
            permit: None,
        })
    }

    /// The same client for a tenant, which sends what `permit` allows at that moment. The tenants of a client take turns.
    pub fn under(&self, tenant: &str, permit: Arc<dyn Permit>) -> Self {
        Self { tenant: Arc::from(tenant), permit: Some(permit), ..self.clone() }
    }

    /// Admits one more caller of the tenant. A request that must be sent now needs no admission.
    ///
    /// # Errors
    /// There are enough callers, or it is another tenant's turn. The error is the time after which to ask again.
    pub fn admit(&self) -> Result<Place, Duration> {
        let (apart, earliest) = self.reads.spacing();
        self.callers.take(&self.tenant, apart, earliest)
    }

    /// How far the service's clock is ahead of ours, by its answers. Zero while they differ by less than 2 s.
    pub fn clock_offset(&self) -> SignedDuration {
        self.rpc.clock_offset()
    }

    /// The same; none before the first answer.
    pub fn known_clock_offset(&self) -> Option<SignedDuration> {
        self.rpc.known_clock_offset()
    }

    /// How long calls have waited for the limits so far, all of them together.
    pub fn waited_for_limits(&self) -> Duration {
        self.creates.waited().saturating_add(self.reads.waited())
    }

    /// The service's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.rpc.now()
    }

    /// CreateBackup, sent once at most, with exactly this nonce and time. It waits for the limits, at most 5 s.
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
        if let Err(wait) = self.creates.acquire(&self.tenant, LONGEST_CREATE_WAIT).await {
            return CreateOutcome::Rejected(Rejection::Paused { wait });
        }
        if self.permit.as_ref().is_some_and(|permit| !permit.creates()) {
            return CreateOutcome::Rejected(Rejection::Withdrawn);
        }
        match self.call(CREATE_BACKUP, Some(instance), params, credentials, stamp).await {
            Ok(response) => created(response),
            Err(Failure::NotSent { why, .. }) => CreateOutcome::Rejected(Rejection::NotSent { why }),
            Err(Failure::Unusable(why)) => CreateOutcome::Rejected(Rejection::Unusable { why }),
            Err(Failure::Lost { why, .. } | Failure::TooLarge(why)) => CreateOutcome::Unknown(Unknown { why, api: None }),
        }
    }

    /// DescribeBackupTasks: the jobs that run, or one job by its id, which may have ended. It waits for the limits, at most 10 s.
    /// <https://help.aliyun.com/document_detail/610523.html>
    pub async fn describe_backup_tasks(
        &self,
        credentials: &Credentials,
        instance: &InstanceId,
        job: Option<&JobId>,
    ) -> Result<Answer<Vec<BackupTask>>, CallError> {
        let params = job.map(|job| pair("BackupJobId", job.as_str())).into_iter().collect();
        Ok(self.read("DescribeBackupTasks", instance, params, credentials, |body| wire::tasks(body, instance)).await?)
    }

    /// DescribeBackups, all pages of it, at most 100. A listing that may not be whole is an error. Each page waits for the limits, at most
    /// 10 s. If a page is too large to be read, the listing begins anew with smaller pages.
    /// <https://help.aliyun.com/document_detail/26273.html>
    pub async fn describe_backups(&self, credentials: &Credentials, query: &SetQuery) -> Result<Answer<SetList>, CallError> {
        self.list_sets(DESCRIBE_BACKUPS, credentials, query, listing::window(query, self.now())).await
    }

    /// DescribeDetachedBackups: the sets that outlive a released instance, which only those of MySQL instances with local disks do, and only
    /// where the backup policy said so. As [`Self::describe_backups`] otherwise; `query.backup_type` is not sent. `region_id`: of the
    /// instance. The page is
    /// <https://www.alibabacloud.com/help/en/rds/developer-reference/api-rds-2014-08-15-describedetachedbackups>.
    pub async fn describe_detached_backups(
        &self,
        credentials: &Credentials,
        query: &SetQuery,
        region_id: &str,
    ) -> Result<Answer<SetList>, CallError> {
        let mut filter = listing::window(query, self.now());
        filter.push(("Region", region_id.to_owned()));
        self.list_sets(DESCRIBE_DETACHED_BACKUPS, credentials, &SetQuery { backup_type: None, ..query.clone() }, filter).await
    }

    /// `filter` stays the same on all pages.
    async fn list_sets(
        &self,
        action: &'static str,
        credentials: &Credentials,
        query: &SetQuery,
        filter: Vec<(&str, String)>,
    ) -> Result<Answer<SetList>, CallError> {
        let mut page_size = query.page_size;
        loop {
            match (self.list(action, credentials, query, page_size, &filter).await, page_size.smaller()) {
                (Err(Unread::TooLarge(_)), Some(smaller)) => page_size = smaller,
                // A set that is not listed yet, or not any more, is none: it is asked for while the listing lags behind the job.
                (Err(Unread::Failed(CallError::Api(error))), _) if query.backup_id.is_some() && error.is_of_a_missing_set() => {
                    return Ok(Answer { value: SetList::default(), request_id: error.request_id, service_time: None });
                }
                (listed, _) => return listed.map_err(CallError::from),
            }
        }
    }

    async fn list(
        &self,
        action: &'static str,
        credentials: &Credentials,
        query: &SetQuery,
        page_size: PageSize,
        filter: &[(&str, String)],
    ) -> Result<Answer<SetList>, Unread> {
        let mut listing = Listing::new(page_size);
        let mut first_page_at = None;
        for page in 1..=listing::MOST_PAGES {
            let mut params = vec![pair("PageSize", &page_size.rows().to_string()), pair("PageNumber", &page.to_string())];
            params.extend(query.backup_id.as_ref().map(|id| pair("BackupId", id.as_str())));
            params.extend(query.status.map(|status| pair("BackupStatus", status.as_str())));
            params.extend(query.mode.map(|mode| pair("BackupMode", mode.as_str())));
            params.extend(query.backup_type.map(|kind| pair("BackupType", kind.as_str())));
            params.extend(filter.iter().map(|(name, value)| pair(name, value)));
            let Answer { value, request_id, service_time } =
                self.read(action, &query.instance, params, credentials, |body| wire::sets(body, &query.instance)).await?;
            if page == 1 {
                first_page_at = service_time;
            }
            if listing.take(value).map_err(|why| CallError::Lost { why })? {
                return Ok(Answer { value: listing.into_list(), request_id, service_time: first_page_at });
            }
        }
        Err(CallError::Lost { why: format!("the listing of backup sets has more than {} pages", listing::MOST_PAGES) }.into())
    }

    /// DescribeDBInstanceAttribute. It waits for the limits, at most 10 s. <https://help.aliyun.com/document_detail/26231.html>
    pub async fn describe_instance(&self, credentials: &Credentials, instance: &InstanceId) -> Result<Answer<Instance>, CallError> {
        let Answer { value, request_id, service_time } =
            self.read("DescribeDBInstanceAttribute", instance, Vec::new(), credentials, |body| wire::instance(body, instance)).await?;
        Ok(Answer { value: value.ok_or(CallError::NoInstance)?, request_id, service_time })
    }

    /// DescribeBackupPolicy. It waits for the limits, at most 10 s. The page is
    /// <https://www.alibabacloud.com/help/en/rds/developer-reference/api-rds-2014-08-15-describebackuppolicy>.
    pub async fn describe_backup_policy(
        &self,
        credentials: &Credentials,
        instance: &InstanceId,
    ) -> Result<Answer<BackupPolicy>, CallError> {
        Ok(self.read("DescribeBackupPolicy", instance, Vec::new(), credentials, policy::policy).await?)
    }

    /// DeleteBackup of one set: what becomes of the others when one id of a list is refused is not documented. A set that is not there any
    /// more is no error. The call can be made again: the second time there is nothing to delete. It waits for the limits, at most 10 s.
    /// <https://www.alibabacloud.com/help/en/rds/developer-reference/api-rds-2014-08-15-deletebackup>
    pub async fn delete_backup(&self, credentials: &Credentials, instance: &InstanceId, set: &BackupId) -> Result<SetDeletion, CallError> {
        // The service takes a comma for the end of one id and the beginning of another.
        if set.as_str().is_empty() || !set.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(CallError::NotSent { why: "the id is not that of one backup set".to_owned() });
        }
        self.reads.acquire(&self.tenant, LONGEST_READ_WAIT).await.map_err(|wait| CallError::Paused { wait })?;
        if self.permit.as_ref().is_some_and(|permit| !permit.creates()) {
            return Err(CallError::Withdrawn);
        }
        let params = vec![pair("BackupId", set.as_str())];
        let mut response = self.call(DELETE_BACKUP, Some(instance), params, credentials, &self.rpc.stamp()).await?;
        match api_error(DELETE_BACKUP, &mut response) {
            Some(error) if error.is_of_a_missing_set() && error.request_id.is_some() && error.http_status < 500 => Ok(SetDeletion::WasGone),
            Some(error) => Err(error.into()),
            // Without a request id the answer is not the service's own.
            None if response.success().is_some() && response.request_id.is_some() => Ok(SetDeletion::Deleted),
            None => Err(CallError::Lost { why: unreadable(response.status, response.bytes) }),
        }
    }

    /// The region that reads name; none where the client serves one host for all.
    pub(super) fn region_id(&self) -> Option<&str> {
        self.region_id.as_deref()
    }

    /// A read, with a nonce and a time of its own; of one instance, or of none.
    pub(super) async fn read<T>(
        &self,
        action: &'static str,
        instance: impl Into<Option<&InstanceId>>,
        mut params: Vec<(String, String)>,
        credentials: &Credentials,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Answer<T>, Unread> {
        params.extend(self.region_id.as_ref().map(|region| pair("RegionId", region)));
        self.reads.acquire(&self.tenant, LONGEST_READ_WAIT).await.map_err(|wait| CallError::Paused { wait })?;
        if self.permit.as_ref().is_some_and(|permit| !permit.reads()) {
            return Err(CallError::Withdrawn.into());
        }
        let mut response =
            self.call(action, instance.into(), params, credentials, &self.rpc.stamp()).await.map_err(|failure| match failure {
                Failure::TooLarge(why) => Unread::TooLarge(why),
                failure => Unread::Failed(failure.into()),
            })?;
        if let Some(error) = api_error(action, &mut response) {
            return Err(CallError::from(error).into());
        }
        match response.success().and_then(parse) {
            Some(value) => Ok(Answer { value, request_id: response.request_id, service_time: response.service_time }),
            None => Err(CallError::Lost { why: unreadable(response.status, response.bytes) }.into()),
        }
    }

    /// Sends one request, and lowers the pace if the service complains about it.
    async fn call(
        &self,
        action: &'static str,
        instance: Option<&InstanceId>,
        mut params: Vec<(String, String)>,
        credentials: &Credentials,
        stamp: &Stamp,
    ) -> Result<Response, Failure> {
        params.extend(instance.map(|instance| pair("DBInstanceId", instance.as_str())));
        let span = debug_span!("call", instance = instance.map(InstanceId::as_str));
        let response = self.rpc.call(action, &params, credentials, stamp).instrument(span).await?;
        // The quota is the account's, so one complaint slows down both kinds of calls.
        if response.error.clone().is_some_and(|error| ApiError::from(error).kind() == ErrorKind::Throttled) {
            self.creates.slow_down(response.retry_after);
            self.reads.slow_down(response.retry_after);
        }
        Ok(response)
    }
}

/// Why a read has no result.
pub(super) enum Unread {
    /// The answer is larger than is read. A smaller page may not be.
    TooLarge(String),
    /// Anything else.
    Failed(CallError),
}

impl From<CallError> for Unread {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

impl From<Unread> for CallError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge(why) => Self::Lost { why },
            Unread::Failed(error) => error,
        }
    }
}

/// What an answer to CreateBackup says. It is a refusal only if its code proves it; a success that cannot be read is not a refusal.
fn created(mut response: Response) -> CreateOutcome {
    if let Some(job_id) = response.success().and_then(wire::job_id) {
        return CreateOutcome::Accepted { job_id, request_id: response.request_id };
    }
    let is_success = response.is_success();
    match api_error(CREATE_BACKUP, &mut response) {
        // Without a request id the answer is not the service's own: a proxy may have passed the request on before it answered.
        Some(error) if !is_success && error.request_id.is_some() && error.proves_nothing_was_created() => {
            CreateOutcome::Rejected(Rejection::Api(error))
        }
        Some(error) => CreateOutcome::Unknown(Unknown { why: format!("the service answered {}", error.code), api: Some(error) }),
        None => CreateOutcome::Unknown(Unknown { why: unreadable(response.status, response.bytes), api: None }),
    }
}

/// The error that the answer to this call is, with the pause that its head asks for.
fn api_error(action: &'static str, response: &mut Response) -> Option<ApiError> {
    let retry_after = response.retry_after.map(|pause| pause.min(LONGEST_PAUSE));
    response.error.take().map(|error| ApiError { action: Some(action), retry_after, ..error.into() })
}

fn unreadable(status: u16, bytes: usize) -> String {
    format!("status {status} with {bytes} bytes that do not answer the question")
}

pub(super) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
