//! What stands before the service: signature, nonce, version, policy and rate.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::auth::{self, Key, Nonces};
use super::clock::{Now, earlier, later, since};
use super::error::ApiError;
use super::request::{COMMON, RawRequest, SignatureVersion};
use super::settings::{Rate, Settings};

const VERSION: &str = "2014-08-15";

/// Parameters that any action takes and that change nothing.
const TOLERATED: [&str; 7] =
    ["RegionId", "ResourceOwnerId", "ResourceOwnerAccount", "OwnerId", "OwnerAccount", "ResourceGroupId", "SourceIp"];

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    CreateBackup,
    DescribeBackupTasks,
    DescribeBackups,
    DescribeDetachedBackups,
    DescribeDBInstanceAttribute,
    DescribeDBInstances,
    DescribeBackupPolicy,
    DeleteBackup,
    CloneDBInstance,
}

impl Action {
    const ALL: [Self; 9] = [
        Self::CreateBackup,
        Self::DescribeBackupTasks,
        Self::DescribeBackups,
        Self::DescribeDetachedBackups,
        Self::DescribeDBInstanceAttribute,
        Self::DescribeDBInstances,
        Self::DescribeBackupPolicy,
        Self::DeleteBackup,
        Self::CloneDBInstance,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateBackup => "CreateBackup",
            Self::DescribeBackupTasks => "DescribeBackupTasks",
            Self::DescribeBackups => "DescribeBackups",
            Self::DescribeDetachedBackups => "DescribeDetachedBackups",
            Self::DescribeDBInstanceAttribute => "DescribeDBInstanceAttribute",
            Self::DescribeDBInstances => "DescribeDBInstances",
            Self::DescribeBackupPolicy => "DescribeBackupPolicy",
            Self::DeleteBackup => "DeleteBackup",
            Self::CloneDBInstance => "CloneDBInstance",
        }
    }

    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::CreateBackup => &["DBInstanceId", "BackupMethod", "BackupStrategy", "DBName", "BackupType", "BackupRetentionPeriod"],
            Self::DescribeBackupTasks => &["DBInstanceId", "BackupJobId", "BackupMode", "BackupJobStatus", "ClientToken", "Flag"],
            Self::DescribeBackups => {
                &["DBInstanceId", "BackupId", "BackupStatus", "BackupMode", "BackupType", "StartTime", "EndTime", "PageSize", "PageNumber"]
            }
            Self::DescribeDetachedBackups => {
                &["DBInstanceId", "BackupId", "BackupStatus", "BackupMode", "StartTime", "EndTime", "PageSize", "PageNumber", "Region"]
            }
            Self::DescribeDBInstanceAttribute => &["DBInstanceId", "Expired"],
            // Others of the documentation filter by what no instance here has.
            Self::DescribeDBInstances => &[
                "DBInstanceId",
                "DBInstanceType",
                "DBInstanceStatus",
                "Engine",
                "EngineVersion",
                "InstanceLevel",
                "MaxResults",
                "NextToken",
                "PageNumber",
                "PageSize",
                "Tags",
            ],
            Self::DescribeBackupPolicy => &["DBInstanceId", "BackupPolicyMode", "CompressType", "ReleasedKeepPolicy"],
            Self::DeleteBackup => &["DBInstanceId", "BackupId"],
            Self::CloneDBInstance => &[
                "DBInstanceId",
                "BackupId",
                "RestoreTime",
                "BackupType",
                "PayType",
                "Period",
                "UsedTime",
                "AutoPay",
                "ClientToken",
                "DBInstanceDescription",
                "DeletionProtection",
                "DBInstanceClass",
                "DBInstanceStorage",
                "DBInstanceStorageType",
                "Category",
                "InstanceNetworkType",
                "VPCId",
                "VSwitchId",
                "ZoneId",
                "PrivateIpAddress",
                "DbNames",
            ],
        }
    }
}

/// A call that the gateway lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) action: Action,
    pub(super) instance: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) key_id: String,
    pub(super) nonce: String,
    pub(super) signed_at: Timestamp,
}

/// The gateway and what it remembers.
#[derive(Debug)]
pub(super) struct Gateway {
    keys: Vec<Key>,
    nonces: Nonces,
    recent: BTreeMap<&'static str, VecDeque<Timestamp>>,
}

impl Gateway {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self { keys, nonces: Nonces::default(), recent: BTreeMap::new() }
    }

    pub(super) fn set_keys(&mut self, keys: Vec<Key>) {
        self.keys = keys;
    }

    /// One more key. Those that have ended by a day are forgotten.
    pub(super) fn add_key(&mut self, key: Key, now: Timestamp) {
        self.keys.retain(|key| key.ends_at.is_none_or(|end| since(end, now).as_secs() < 86_400));
        self.keys.push(key);
    }

    /// Lets a request through, or says why not.
    pub(super) fn admit(&mut self, request: &RawRequest, settings: &Settings, now: Now) -> Result<Call, ApiError> {
        if !matches!(request.method.as_str(), "GET" | "POST") || request.path != "/" {
            return Err(not_found());
        }
        let verified = auth::verify(request, &self.keys, settings.expiry, now.service)?;
        // From here on the nonce is gone, whatever else is wrong with the request: a throttled one cannot be sent again as it is.
        self.nonces.consume(&verified.key.id, &verified.nonce, settings.nonce_retention, now.machine)?;
        if request.version() != VERSION {
            return Err(ApiError::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
        }
        let named = request.action();
        let action = Action::ALL.into_iter().find(|action| action.name() == named).ok_or_else(not_found)?;
        verified.key.authorize(action.name())?;
        self.spend(action, settings, now.machine)?;
        let parameters = read_parameters(action, request)?;
        let instance = match (parameters.get("DBInstanceId"), action) {
            (Some(instance), _) => instance.clone(),
            // The one call that need not name an instance.
            (None, Action::DescribeDBInstances) => String::new(),
            (None, _) => return Err(ApiError::missing("DBInstanceId")),
        };
        Ok(Call { action, instance, parameters, key_id: verified.key.id, nonce: verified.nonce, signed_at: verified.signed_at })
    }

    fn spend(&mut self, action: Action, settings: &Settings, now: Timestamp) -> Result<(), ApiError> {
        let Some(rate) = settings.throttle.get(action.name()) else { return Ok(()) };
        let recent = self.recent.entry(action.name()).or_default();
        match wait(recent, *rate, now) {
            None => {
                recent.push_back(now);
                Ok(())
            }
            Some(ms) => Err(ApiError::throttled(throttling_status(settings), Some(ms))),
        }
    }
}

/// The status of an answer that says: too many.
pub(super) fn throttling_status(settings: &Settings) -> u16 {
    if settings.quirks.throttling400 { 400 } else { 429 }
}

/// How many milliseconds until a call is free, if none is now. Forgets what the window has left behind.
fn wait(recent: &mut VecDeque<Timestamp>, rate: Rate, now: Timestamp) -> Option<u64> {
    while recent.front().is_some_and(|call| *call <= earlier(now, rate.window)) {
        recent.pop_front();
    }
    if recent.len() < rate.calls as usize {
        return None;
    }
    let free = recent.front().map_or(now, |call| later(*call, rate.window));
    Some(u64::try_from(since(now, free).as_millis()).unwrap_or(u64::MAX).max(1))
}

fn read_parameters(action: Action, request: &RawRequest) -> Result<BTreeMap<String, String>, ApiError> {
    if !request.body.is_empty() && !request.has_form() {
        let message = "The parameters of this API are read from the query and from a form that is sent with POST; send no other body.";
        return Err(ApiError::new(400, "UnsupportedOperation", message));
    }
    if let Some(name) = request.repeated() {
        return Err(ApiError::invalid(&name));
    }
    // Listed among the documented errors of this one call.
    if action == Action::DescribeBackupTasks && request.parameters().contains_key("OwnerAccount") {
        return Err(ApiError::new(400, "InvalidParameter.OwnerAccount", "The specified parameter OwnerAccount is not valid."));
    }
    let common = |name: &str| request.signature_version() == SignatureVersion::V1 && COMMON.contains(&name);
    let known = |name: &str| action.parameters().contains(&name) || TOLERATED.contains(&name) || common(name);
    match request.pairs().into_iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(ApiError::new(400, "UnsupportedParameter", format!("The parameter {name} is not supported."))),
        None => Ok(request.parameters()),
    }
}

fn not_found() -> ApiError {
    ApiError::new(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_window_of_calls_frees_itself_one_by_one() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let rate = Rate { calls: 2, window: Duration::from_secs(1) };
        let mut recent = VecDeque::from([at(0), at(400)]);
        assert_eq!(wait(&mut recent, rate, at(500)), Some(500));
        assert_eq!(wait(&mut recent, rate, at(999)), Some(1));
        assert_eq!(wait(&mut recent, rate, at(1000)), None);
        recent.push_back(at(1000));
        assert_eq!(wait(&mut recent, rate, at(1000)), Some(400));
    }
}
