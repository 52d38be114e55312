//! Does one request of a pass and returns its answer. The only file of this module that calls the API server; it decides nothing.

use std::sync::Arc;

use kube::Resource;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    children::GuardedBackup,
    context::Context,
    decide::Deletion,
    memory::Outcome,
    native,
    policy::OLDEST_AUDIT,
    request::{Answer, Present, Request},
};
use crate::{
    api::{RdsBackup, RdsBackupSchedule},
    audit::Target,
    controller::{self, Event},
};

/// The requests of one pass.
pub(super) struct Io {
    context: Arc<Context>,
}

impl Io {
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// What is true now.
    pub fn present(&self) -> Present {
        let Context { clock, server_clock, burst, .. } = self.context.as_ref();
        let steady = Instant::now();
        Present { now: clock.now(), server_now: server_clock.now(steady), is_burst: burst.is_on(steady) }
    }

    /// Does one request about the schedule.
    pub async fn perform(&self, object: &RdsBackupSchedule, request: Request) -> Answer {
        let Context { cluster, children, burst, .. } = self.context.as_ref();
        let namespace = namespace_of(object);
        match request {
            Request::AwaitFirstList => {
                children.listed(namespace).await;
                Answer::Done
            }
            Request::Observe => {
                let audits = &self.context.audits;
                let found = |backup: &GuardedBackup| audits.of(backup.meta().uid.as_deref().unwrap_or_default());
                let backups = children.of(namespace, name_of(object)).into_iter().map(|backup| (backup.clone(), found(&backup))).collect();
                let native = native::target_of(object).map(|target| self.context.native_windows.of(&target)).unwrap_or_default();
                Answer::Observed { backups, audits_are_due: audits.runs_for(self.context.clock.now()) > OLDEST_AUDIT, native }
            }
            Request::HurryAudit => {
                let spec = &object.spec.template.spec;
                let (account, instance) = (spec.account.clone(), spec.db_instance_id.clone());
                self.context.audits.hurry(Target { account, namespace: namespace.to_owned(), instance });
                Answer::Done
            }
            Request::ReadObject => Answer::Object(cluster.get(object).await.map(|found| found.map(Box::new))),
            Request::ReadBackup(name) => Answer::Backup(cluster.named(namespace, &name).await.map(|found| found.map(Box::new))),
            Request::ReadNamesake(name) => {
                Answer::Namesake(cluster.guarded::<RdsBackup>(namespace, &name).await.map(|found| found.map(Box::new)))
            }
            Request::Create(backup) => Answer::Created(cluster.create(backup.as_ref()).await),
            Request::WriteStatus(status) => Answer::Written(cluster.write_status(object, &status).await),
            Request::Delete(deletion) => Answer::Deleted(self.delete(namespace, &deletion).await),
            Request::LogCreation { backup, outcome } => {
                if outcome == Outcome::Created {
                    self.context.counts.created(object, &backup, self.context.clock.now());
                }
                log_creation(object, &backup, &outcome);
                Answer::Done
            }
            Request::CountCreation => {
                burst.created(Instant::now());
                Answer::Done
            }
            Request::Announce(events) => {
                events.into_iter().for_each(|event| self.publish(object, event));
                Answer::Done
            }
        }
    }

    async fn delete(&self, namespace: &str, Deletion { name, uid, resource_version }: &Deletion) -> Result<bool, controller::Error> {
        let deleted = self.context.cluster.delete::<RdsBackup>(namespace, name, uid, resource_version).await;
        match &deleted {
            Ok(true) => info!(namespace, name, "an RdsBackup beyond the history limit was deleted; its backup set was not"),
            Ok(false) => {}
            Err(error) => warn!(namespace, name, %error, "an RdsBackup beyond the history limit could not be deleted; it is tried again"),
        }
        deleted
    }

    /// Publishes an event beside the pass.
    fn publish(&self, object: &RdsBackupSchedule, event: Event) {
        let (cluster, about, now) = (self.context.cluster.clone(), object.object_ref(&()), self.context.clock.now());
        self.context.tasks.spawn(async move { cluster.publish(about, event, now).await });
    }
}

fn log_creation(object: &RdsBackupSchedule, backup: &RdsBackup, outcome: &Outcome) {
    let (namespace, name) = (namespace_of(object), backup.metadata.name.as_deref().unwrap_or_default());
    match outcome {
        Outcome::Unanswered { message, .. } => {
            warn!(namespace, backup = name, error = message, "the backup that is due could not be created; it is tried again");
        }
        outcome => {
            let instance = &backup.spec.db_instance_id;
            info!(namespace, name = name_of(object), backup = name, %instance, ?outcome, "RdsBackupSchedule");
        }
    }
}

fn namespace_of(object: &RdsBackupSchedule) -> &str {
    object.metadata.namespace.as_deref().unwrap_or_default()
}

fn name_of(object: &RdsBackupSchedule) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}
