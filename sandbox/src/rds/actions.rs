//! What each action does.

use serde_json::Value;

use super::clock::Now;
use super::cloud::{self, Cloud, Start};
use super::deletion;
use super::detached::{self, RELEASED};
use super::error::ApiError;
use super::faults::{Effect, Faults};
use super::gateway::{Action, Call};
use super::instances;
use super::jobs::Job;
use super::ledger::{JobOutcome, Origin};
use super::rules;
use super::sets::Query;
use super::settings::Settings;
use super::wire::Style;

/// Does what the call asks, and returns the answer's document.
pub(super) fn perform(call: &Call, cloud: &mut Cloud, faults: &mut Faults, settings: &Settings, now: Now) -> Result<Value, ApiError> {
    let style = Style(&settings.quirks);
    if call.action == Action::DescribeDBInstances {
        let query = instances::Query::read(&call.parameters)?;
        return Ok(style.instances(&query.page(cloud.instances(), settings.quirks.instances_backwards)));
    }
    let instance = call.instance.as_str();
    let region = call.parameters.get("RegionId").filter(|_| !settings.quirks.central_host);
    let spec = cloud.visit(instance, region.map(String::as_str), now)?;
    if spec.status == RELEASED && call.action != Action::DescribeDetachedBackups {
        return Err(cloud::absent());
    }
    match call.action {
        Action::CreateBackup => {
            let wanted = rules::wanted(&call.parameters)?;
            rules::check_kind(&spec, &wanted)?;
            rules::check_state(&spec, &wanted)?;
            cloud.check_free(instance, settings, now)?;
            // Only a job that does start uses a fault of jobs up.
            let fate = match faults.strike_job(call.action.name(), instance) {
                Some(Effect::FailJob) => JobOutcome::Failed,
                Some(Effect::SpoilJob) => JobOutcome::Unusable,
                _ => JobOutcome::Success,
            };
            let start = Start { origin: Origin::Request, wanted, length: cloud.length(&spec, settings), fate };
            Ok(style.created(cloud.accept(call, &spec, start, now)))
        }
        Action::DescribeBackupTasks => {
            if spec.kind == "Readonly" {
                return Err(rules::read_only());
            }
            let filter = TaskFilter::read(call)?;
            let jobs = cloud.jobs(instance).iter().filter(|job| filter.takes(job, settings, now));
            Ok(style.tasks(jobs, filter.job.is_some(), now))
        }
        Action::DescribeBackups => {
            let query = Query::read(&call.parameters)?;
            let quirks = &settings.quirks;
            let is_listed = |job: &&Job| if quirks.running_sets.is_some() { !job.removed } else { job.listed(settings.lag, now) };
            let page = query.page(cloud.jobs(instance).iter().filter(is_listed), quirks.window_on_end);
            if quirks.unlisted_set_is_an_error && query.names_a_set() && page.total == 0 {
                return Err(ApiError::new(404, "InvalidBackupSetID.NotFound", "Specified backup set ID does not exist."));
            }
            Ok(style.sets(&spec, instance, &page, now))
        }
        Action::DescribeDetachedBackups => {
            let region = call.parameters.get("Region").ok_or_else(|| ApiError::missing("Region"))?;
            let query = Query::read(&call.parameters)?;
            let kept = detached::sets(&spec, region, cloud.jobs(instance), settings.lag, now);
            let page = query.page(kept.into_iter(), settings.quirks.window_on_end);
            Ok(style.sets(&spec, instance, &page, now))
        }
        // Answered above: it is of no single instance.
        Action::DescribeDBInstances | Action::DescribeDBInstanceAttribute => Ok(style.attribute(&spec, instance)),
        Action::DescribeBackupPolicy => {
            let mode = call.parameters.get("BackupPolicyMode").map(String::as_str);
            if !matches!(mode, None | Some("DataBackupPolicy" | "LogBackupPolicy")) {
                return Err(ApiError::invalid("BackupPolicyMode"));
            }
            Ok(style.policy(&spec))
        }
        Action::CloneDBInstance => Ok(style.cloned(&cloud.clone_instance(call, &spec, settings.lag, now)?)),
        Action::DeleteBackup => {
            let named = call.parameters.get("BackupId").ok_or_else(|| ApiError::missing("BackupId"))?;
            let ids = deletion::ids(named)?;
            deletion::check_instance(&spec)?;
            // All of them or none: what becomes of the others when one is refused is not documented.
            for id in &ids {
                let job = cloud.jobs(instance).iter().find(|job| job.backup_id.to_string() == *id);
                deletion::check_set(&spec, job, now)?;
            }
            for id in ids {
                cloud.delete_set(call, id, now);
            }
            Ok(style.done())
        }
    }
}

/// What a DescribeBackupTasks asks for.
struct TaskFilter {
    job: Option<u64>,
    automated: Option<bool>,
    no_start: Option<bool>,
}

impl TaskFilter {
    fn read(call: &Call) -> Result<Self, ApiError> {
        let value = |name: &str| call.parameters.get(name).map(String::as_str);
        let malformed = || ApiError::new(400, "InvalidParameters.Format", "Specified parameter is not valid");
        // The metadata says int32.
        let job = match value("BackupJobId").map(str::parse::<i32>) {
            None => None,
            Some(id) => Some(id.ok().and_then(|id| u64::try_from(id).ok()).ok_or_else(malformed)?),
        };
        let automated = match value("BackupMode") {
            None => None,
            Some("Automated") => Some(true),
            Some("Manual") => Some(false),
            Some(_) => return Err(malformed()),
        };
        let no_start = match value("BackupJobStatus") {
            None => None,
            Some("NoStart") => Some(true),
            Some("Progressing") => Some(false),
            Some(_) => return Err(malformed()),
        };
        Ok(Self { job, automated, no_start })
    }

    fn takes(&self, job: &Job, settings: &Settings, now: Now) -> bool {
        // A job that has ended is shown only to a request that names it.
        let shown = match self.job {
            Some(id) => id == job.id && job.remembered(settings.task_retention, now),
            None => !job.ended(now),
        };
        let in_status = match self.no_start {
            None => true,
            Some(wanted) => !job.ended(now) && wanted == (job.stage(now).status == "NoStart"),
        };
        shown && in_status && self.automated.is_none_or(|wanted| wanted == job.automated())
    }
}
