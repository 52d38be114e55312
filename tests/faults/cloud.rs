//! The scripted cloud: it keeps its own list of jobs, and shares no code with the operator. It does not check signatures; the sandbox does.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{randomness::Randomness, sts::Sts};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    pub action: String,
    /// The id of the access key.
    pub key: String,
    pub nonce: String,
    pub signed_at: Option<Timestamp>,
    pub params: BTreeMap<String, String>,
    /// The signature.
    pub signature: String,
    /// What a service, or a proxy, may repeat of it in an error: the key and the token as they are and encoded, and what was signed.
    pub echo: String,
}

impl Call {
    /// Reads a request of either signature: headers and a query, or a form.
    pub fn read(query: &str, body: &str, header: impl Fn(&str) -> Option<String>) -> Self {
        let params: BTreeMap<String, String> =
            [query, body].iter().flat_map(|text| url::form_urlencoded::parse(text.as_bytes()).into_owned()).collect();
        let either = |name: &str, parameter: &str| header(name).or_else(|| params.get(parameter).cloned()).unwrap_or_default();
        // "ACS3-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=..."
        let part = |name: &str| {
            let line = header("authorization")?;
            let (_, rest) = line.split_once(&format!("{name}="))?;
            Some(rest.split(',').next()?.to_owned())
        };
        let key = part("Credential").or_else(|| params.get("AccessKeyId").cloned()).unwrap_or_default();
        let token = either("x-acs-security-token", "SecurityToken");
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let echo = [
            format!("key {key}, token {token}, {}", encoded(&key)),
            format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:{token}"))),
            format!("{query}&{body}"),
            header("authorization").unwrap_or_default(),
            token.chars().take(12).collect(),
        ];
        Self {
            action: either("x-acs-action", "Action"),
            signature: part("Signature").or_else(|| params.get("Signature").cloned()).unwrap_or_default(),
            echo: echo.join(" "),
            key,
            nonce: either("x-acs-signature-nonce", "SignatureNonce"),
            signed_at: either("x-acs-date", "Timestamp").parse().ok(),
            params,
        }
    }

    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// An answer as it leaves.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A backup job.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: u64,
    pub backup_id: u64,
    pub instance: String,
    pub method: String,
    /// The nonce of the request that began it; None for a job of another client.
    pub nonce: Option<String>,
    pub automated: bool,
    pub fails: bool,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    /// The time from which its set is listed.
    pub listed_at: Timestamp,
    /// A user deleted it, or its set.
    pub gone: bool,
}

/// How this cloud behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Jobs last one of these.
    pub durations: Vec<Duration>,
    /// A set is listed up to this long after its job's end.
    pub longest_lag: Duration,
    /// And at least this long.
    pub shortest_lag: Duration,
    /// Jobs that fail, percent.
    pub failing: u64,
    /// Whether a nonce is refused when it comes again.
    pub knows_nonces: bool,
    /// Ended jobs are no longer shown after this.
    pub forgets_jobs_after: Duration,
    /// The regions of instances; the others are in the region that is asked. A central host answers for the instances of every region.
    pub regions: BTreeMap<String, &'static str>,
    /// Whether a task names what began it (`JobMode`, `TaskAction`).
    pub tells_what_began: bool,
    /// `Date` is that many hours ahead of the cloud's clock; behind, if negative.
    pub date_hours: i64,
    /// Whether a finished task names its set.
    pub names_sets: bool,
    /// A set is listed as Running for so long before it is listed as it is.
    pub unsettled_for: Duration,
}

#[derive(Debug)]
pub struct Cloud {
    pub habits: Habits,
    /// Instances and the kind of their disks.
    pub instances: BTreeMap<String, &'static str>,
    pub jobs: Vec<Job>,
    /// The access key that is accepted; None: any key.
    pub key: Option<String>,
    /// Gives out temporary keys.
    pub sts: Sts,
    /// The number of calls of a key that are accepted within a second, and the times of its last calls.
    limits: BTreeMap<String, (usize, VecDeque<Timestamp>)>,
    nonces: BTreeMap<String, Timestamp>,
    randomness: Randomness,
    made: u64,
    /// What an error repeats of the newest request.
    pub echo: String,
}

const EXPIRY: SignedDuration = SignedDuration::from_mins(15);

impl Cloud {
    pub fn new(habits: Habits, instances: BTreeMap<String, &'static str>, randomness: Randomness) -> Self {
        Self {
            habits,
            instances,
            jobs: Vec::new(),
            key: None,
            sts: Sts::default(),
            limits: BTreeMap::new(),
            nonces: BTreeMap::new(),
            randomness,
            made: 0,
            echo: String::new(),
        }
    }

    /// Answers a request.
    pub fn arrive(&mut self, call: &Call, now: Timestamp) -> Reply {
        let Some(signed_at) = call.signed_at else { return self.refuse(400, "InvalidTimeStamp.Format", now) };
        if now.duration_since(signed_at).abs() > EXPIRY {
            return self.refuse(400, "InvalidTimeStamp.Expired", now);
        }
        if self.habits.knows_nonces && self.nonces.insert(call.nonce.clone(), now).is_some() {
            return self.refuse(400, "SignatureNonceUsed", now);
        }
        if call.key.starts_with("STS.") {
            if !self.sts.accepts(&call.key, now) {
                return self.refuse(400, "InvalidSecurityToken.Expired", now);
            }
        } else if self.key.as_ref().is_some_and(|key| *key != call.key) {
            return self.refuse(404, "InvalidAccessKeyId.NotFound", now);
        }
        if !self.is_taken(&call.key, now) {
            return self.refuse(400, "Throttling.User", now);
        }
        let instance = call.param("DBInstanceId").to_owned();
        let Some(disk) = self.instances.get(&instance).copied() else { return self.refuse(404, "InvalidDBInstanceId.NotFound", now) };
        let document = match call.action.as_str() {
            "DescribeDBInstanceAttribute" => json!({ "Items": { "DBInstanceAttribute": [{
                "DBInstanceId": instance, "Engine": "MySQL", "EngineVersion": "8.0", "DBInstanceStatus": "Running",
                "DBInstanceStorageType": disk, "DBInstanceType": "Primary", "LockMode": "Unlock",
                "RegionId": self.habits.regions.get(&instance).copied().unwrap_or(call.param("RegionId")),
            }] } }),
            "DescribeBackupPolicy" => {
                json!({ "BackupRetentionPeriod": "7", "EnableBackupLog": "1", "BackupLog": "Enable", "LogBackupRetentionPeriod": "7" })
            }
            "DescribeBackupTasks" => self.tasks(&instance, call.param("BackupJobId"), now),
            "DescribeBackups" => self.sets(&instance, call, now),
            "CreateBackup" => {
                if self.jobs.iter().any(|job| job.instance == instance && job.ended_at > now) {
                    return self.refuse(400, "BackupJobExists", now);
                }
                let method = Some(call.param("BackupMethod")).filter(|method| !method.is_empty()).unwrap_or("Physical").to_owned();
                let id = self.begin(&instance, &method, Some(call.nonce.clone()), false, None, now);
                json!({ "BackupJobId": id })
            }
            _ => return self.refuse(400, "Api.NotSupport", now),
        };
        self.answer(200, document, now)
    }

    /// Begins a job of the operator or of another client.
    pub fn begin(
        &mut self,
        instance: &str,
        method: &str,
        nonce: Option<String>,
        automated: bool,
        lasts: Option<Duration>,
        now: Timestamp,
    ) -> u64 {
        self.made += 1;
        let lasts = lasts.unwrap_or_else(|| self.randomness.pick(&self.habits.durations.clone()));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(0);
        let lags = millis(self.habits.shortest_lag)..=millis(self.habits.longest_lag);
        let lag = Duration::from_millis(self.randomness.in_range(lags));
        let (instance, method, ended_at) = (instance.to_owned(), method.to_owned(), now + lasts);
        let (id, backup_id, fails) = (11_290_000 + self.made, 321_020_000 + self.made, self.randomness.percent(self.habits.failing));
        self.jobs.push(Job {
            id,
            backup_id,
            instance,
            method,
            nonce,
            automated,
            fails,
            started_at: now,
            ended_at,
            listed_at: ended_at + lag,
            gone: false,
        });
        id
    }

    /// Sets how many calls of this key (by the beginning of its id) are accepted within a second from now on.
    pub fn limit(&mut self, key: &str, per_second: Option<usize>) {
        self.limits.remove(key);
        self.limits.extend(per_second.map(|most| (key.to_owned(), (most, VecDeque::new()))));
    }

    fn is_taken(&mut self, key: &str, now: Timestamp) -> bool {
        let Some((_, (most, calls))) = self.limits.iter_mut().find(|(of, _)| key.starts_with(of.as_str())) else { return true };
        calls.retain(|at| now.duration_since(*at) < SignedDuration::from_secs(1));
        let taken = calls.len() < *most;
        if taken {
            calls.push_back(now);
        }
        taken
    }

    /// A user deletes the newest job of an instance, or its set.
    pub fn vanish(&mut self, instance: &str, now: Timestamp) {
        if let Some(job) = self.jobs.iter_mut().rev().find(|job| job.instance == instance) {
            job.gone = true;
            job.ended_at = job.ended_at.min(now);
        }
    }

    fn tasks(&self, instance: &str, id: &str, now: Timestamp) -> Value {
        let shown = |job: &&Job| {
            job.instance == instance
                && !job.gone
                && match id {
                    "" => job.ended_at > now,
                    id => job.id.to_string() == id && now < job.ended_at + self.habits.forgets_jobs_after,
                }
        };
        let task = |job: &Job| {
            let (whole, done) =
                (job.ended_at.duration_since(job.started_at).as_secs().max(1), now.duration_since(job.started_at).as_secs());
            let state = match now >= job.ended_at {
                false => "Uploading",
                true if job.fails => "Failed",
                true => "Finished",
            };
            let mut task = json!({
                "BackupJobId": job.id,
                "BackupStatus": state,
                "BackupProgressStatus": state,
                "Process": (done * 100 / whole).min(100).to_string(),
                "JobMode": if job.automated { "Automated" } else { "Manual" },
                "TaskAction": if job.automated { "NormalBackupTask" } else { "TempBackupTask" },
                "BackupId": if state == "Finished" && self.habits.names_sets { json!(job.backup_id) } else { Value::Null },
            });
            if !self.habits.tells_what_began {
                (task["JobMode"], task["TaskAction"]) = (Value::Null, Value::Null);
            }
            task
        };
        json!({ "Items": { "BackupJob": self.jobs.iter().filter(shown).map(task).collect::<Vec<_>>() } })
    }

    fn sets(&self, instance: &str, call: &Call, now: Timestamp) -> Value {
        let minute = |name: &str| format!("{}:00Z", call.param(name).trim_end_matches('Z')).parse::<Timestamp>().ok();
        let (from, to) = (minute("StartTime"), minute("EndTime"));
        let listed: Vec<&Job> = self
            .jobs
            .iter()
            .filter(|job| job.instance == instance && !job.gone && job.listed_at <= now)
            .filter(|job| matches!(call.param("BackupId"), "") || job.backup_id.to_string() == call.param("BackupId"))
            .filter(|job| call.param("BackupMode") != "Manual" || !job.automated)
            .filter(|job| from.is_none_or(|from| job.started_at >= from) && to.is_none_or(|to| job.started_at <= to))
            .collect();
        let number = |name: &str, default: usize| call.param(name).parse().unwrap_or(default);
        let (page, size) = (number("PageNumber", 1).max(1), number("PageSize", 30).max(1));
        let set = |job: &&Job| {
            let (failed, instance, id) = (job.fails, &job.instance, job.backup_id);
            let unsettled = now < job.listed_at + self.habits.unsettled_for;
            json!({
                "BackupId": id,
                "BackupStatus": if unsettled { "Running" } else if failed { "Failed" } else { "Success" },
                "BackupMode": if job.automated { "Automated" } else { "Manual" },
                "BackupInitiator": if job.automated { "System" } else { "User" },
                "BackupMethod": job.method,
                "BackupType": "FullBackup",
                "BackupStartTime": seconds(job.started_at),
                "BackupEndTime": seconds(job.ended_at),
                "BackupSize": 2_147_483_648_u64,
                "IsAvail": u8::from(!failed && !unsettled),
                "ConsistentTime": job.ended_at.as_second(),
                "DBInstanceId": instance,
                "BackupDownloadURL": format!("https://bucket.example/{id}?Expires=1&Signature={}", crate::world::CANARY),
            })
        };
        let items: Vec<Value> = listed.iter().skip((page - 1) * size).take(size).map(set).collect();
        json!({ "PageNumber": page, "PageRecordCount": items.len(), "TotalRecordCount": listed.len(), "Items": { "Backup": items } })
    }

    /// An error of the service.
    pub fn refuse(&mut self, status: u16, code: &str, now: Timestamp) -> Reply {
        let message = format!("scripted: {}", self.echo);
        self.answer(status, json!({ "Code": code, "Message": message, "HostId": "rds.example" }), now)
    }

    fn answer(&mut self, status: u16, mut document: Value, now: Timestamp) -> Reply {
        self.made += 1;
        document["RequestId"] = json!(format!("0A1B2C3D-{:012}", self.made));
        let headers = vec![("date", http_date(now + SignedDuration::from_hours(self.habits.date_hours)))];
        Reply { status, headers, body: document.to_string().into_bytes() }
    }

    /// Marks a nonce as used, although its request was refused for another reason.
    pub fn consume(&mut self, call: &Call, now: Timestamp) {
        self.nonces.insert(call.nonce.clone(), now);
    }

    /// The job of a set.
    pub fn of_set(&self, backup_id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.backup_id.to_string() == backup_id)
    }

    /// The job of an id.
    pub fn of_id(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id.to_string() == id)
    }
}

fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
