//! Does one request of a pass and returns its answer. The only file of this module that calls the API server and the cloud; it decides
//! nothing.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use kube::{Resource, runtime::reflector::ObjectRef};
use tokio::{
    sync::{OwnedMutexGuard, OwnedSemaphorePermit},
    time::Instant,
};
use tracing::{info, warn};

use super::{
    context::Context,
    observation::{AccountView, Blocker, Randomness},
    recorded,
    request::{Announcement, Answer, CloudFinding, CloudRead, InstanceObject, InstanceObjects, Observed, Present, Request},
    siblings::{self, Claim},
    unreadable,
};
mod deletion;

use crate::{
    accounts::{Access, Admitted, Submissions},
    api::{RdsBackup, RdsBackupStatus, Reason},
    controller::{self, Found, Unreadable, WriteResult},
    rds::{self, BackupSet, CallError, CreateBackup, CreateOutcome, Credentials, InstanceId, ModeFilter, Rejection, SetQuery, Stamp},
    time::SaturatingTime,
};

/// The requests of one pass, and what it holds until it rests.
pub(super) struct Io {
    context: Arc<Context>,
    /// The client and the credentials of the last observation; none where it read none.
    means: Option<(Access, Credentials)>,
    /// A place among the callers of the account, from the first call of the pass to its end.
    admission: Option<Admitted>,
    /// A place among the passes that work, unless the pass waits for the service.
    place: Option<OwnedSemaphorePermit>,
    /// The lock of the instance.
    instance: Option<OwnedMutexGuard<()>>,
}

const NO_CREDENTIALS: &str = "the account's credentials could not be read";

impl Io {
    /// Waits for a place among the passes that work.
    pub async fn begin(context: Arc<Context>) -> Self {
        let mut io = Self { context, means: None, admission: None, place: None, instance: None };
        io.take_place().await;
        io
    }

    async fn take_place(&mut self) {
        // The semaphore is never closed: without one a pass would only work beside the others.
        self.place = self.context.passes.clone().acquire_owned().await.ok();
    }

    /// What is true now.
    pub fn present(&self) -> Present {
        let steady = Instant::now();
        Present { steady, leads: self.context.cluster.may_begin().is_ok(), is_burst: self.context.burst.is_on(steady) }
    }

    /// Does one request about the object.
    pub async fn perform(&mut self, object: &Arc<RdsBackup>, request: Request) -> Answer {
        match request {
            Request::Observe { at_rest } => Answer::Observed(Box::new(self.observe(object, at_rest).await)),
            Request::ReadObject => Answer::Object(self.context.cluster.get(object.as_ref()).await.map(|found| found.map(Box::new))),
            Request::ListInstance => Answer::Instance(self.list(object).await),
            Request::LockInstance => {
                self.instance = self.context.locks.lock(&object.spec.db_instance_id);
                Answer::Locked(self.instance.is_some())
            }
            Request::Admit => Answer::Admitted(self.admit()),
            Request::Read { instance, what } => {
                self.place = None;
                let answer = self.read(&instance, what).await;
                self.take_place().await;
                answer
            }
            Request::ReadSurroundings => Answer::Surroundings(self.context.cluster.surroundings::<RdsBackup>(namespace_of(object)).await),
            Request::RemoveObject => Answer::Removed(self.remove(object).await),
            Request::DeleteSet { instance, set } => {
                self.place = None;
                let result = self.delete_set(object, &instance, &set).await;
                self.take_place().await;
                Answer::Deleted(result)
            }
            Request::RenewCredentials => Answer::Renewed(self.renew().await),
            Request::WriteStatus { status, unfenced } => Answer::Written(self.write(object, &status, unfenced).await),
            Request::WriteFinalizers(finalizers) => {
                Answer::Written(self.context.cluster.write_finalizers(object.as_ref(), &finalizers).await)
            }
            Request::Send { request, stamp } => {
                self.place = None;
                let outcome = self.send(object, &request, &stamp).await;
                self.take_place().await;
                Answer::Sent(outcome)
            }
            Request::PauseRecording { pause, why } => {
                self.place = None;
                pause_recording(object, pause, &why).await;
                self.take_place().await;
                Answer::Done
            }
            Request::Announce(announcement) => {
                self.announce(object, *announcement);
                Answer::Done
            }
            Request::NoteEnd => {
                self.context.ended.insert(uid_of(object));
                Answer::Done
            }
            Request::WakeSiblings => {
                self.wake_siblings(object);
                Answer::Done
            }
            Request::NoteTooLarge(true) => {
                self.context.too_large.insert(uid_of(object));
                Answer::Done
            }
            Request::NoteTooLarge(false) => {
                self.context.too_large.remove(uid_of(object));
                Answer::Done
            }
            Request::Forget => {
                self.context.tracker.forget(uid_of(object));
                self.context.ended.remove(uid_of(object));
                Answer::Done
            }
        }
    }

    async fn observe(&mut self, object: &RdsBackup, at_rest: bool) -> Observed {
        self.means = None;
        let context = &self.context;
        let randomness = Randomness { nonce: context.entropy.nonce(), pause: context.entropy.pause() };
        let audited = context.audits.of(uid_of(object));
        let local = context.clock.now();
        let server_now = context.server_clock.now(Instant::now());
        let by_api_server = context.server_clock.offset(local, Instant::now());
        let time = |offset: Option<SignedDuration>| (local.plus(offset.unwrap_or(SignedDuration::ZERO)), offset.is_some());
        self.read_labels(object).await;
        let access = match context.accounts.access(namespace_of(object), &object.spec, recorded::region(object)) {
            Ok(access) => access,
            Err(error) => {
                let account = Err(Blocker { reason: error.reason(), message: error.to_string(), again_in: None });
                let (now, time_is_known) = time(by_api_server);
                let namespace = Ok(Submissions::Enabled);
                return Observed {
                    now,
                    time_is_known,
                    server_now,
                    account,
                    cached: Vec::new(),
                    claims: Ok(()),
                    namespace,
                    audited,
                    randomness,
                };
            }
        };
        let (now, time_is_known) = time(access.client.known_clock_offset().or(by_api_server));
        if at_rest {
            return Observed {
                now,
                time_is_known,
                server_now,
                account: Ok(view(&access, Ok(()))),
                cached: Vec::new(),
                claims: Ok(()),
                namespace: Ok(Submissions::Enabled),
                audited,
                randomness,
            };
        }
        let credentials = match access.credentials().await {
            Ok(credentials) => {
                self.means = Some((access.clone(), credentials));
                Ok(())
            }
            Err(error) => Err(Blocker { reason: error.reason(), message: error.to_string(), again_in: error.again_in() }),
        };
        let (cached, claims) = self.siblings(object).await;
        let namespace = self.submissions(object).await;
        Observed { now, time_is_known, server_now, account: Ok(view(&access, credentials)), cached, claims, namespace, audited, randomness }
    }

    /// Reads the labels of the object's Namespace where the account's allow-list asks for them: the check that follows knows them.
    async fn read_labels(&self, object: &RdsBackup) {
        let Context { accounts, cluster, .. } = self.context.as_ref();
        let namespace = namespace_of(object);
        if cluster.watches(namespace) && accounts.asks_for_labels(&object.spec.account) {
            accounts.labels().note(namespace, cluster.labels(namespace).await);
        }
    }

    /// Whether the object's Namespace pauses submissions. It is not asked about an object whose request may have left: that one is followed.
    async fn submissions(&self, object: &RdsBackup) -> Result<Submissions, String> {
        let has_left = |status: &RdsBackupStatus| status.has_result() || status.open_submission().is_some_and(|intent| intent.cleared);
        if object.status.as_ref().is_some_and(has_left) {
            return Ok(Submissions::Enabled);
        }
        let paused = self.context.cluster.pauses(namespace_of(object)).await.map_err(|error| error.to_string())?;
        Ok(if paused { Submissions::Paused } else { Submissions::Enabled })
    }

    /// The objects of the instance that the cache shows, and what may hold the instance and cannot be read.
    async fn siblings(&self, object: &RdsBackup) -> (Vec<InstanceObject>, Result<(), Blocker>) {
        let (context, instance) = (&self.context, object.spec.db_instance_id.as_str());
        let mut claims = self.namespaces(instance).await;
        let mut cached = Vec::new();
        for guarded in context.unfinished_of(instance) {
            // The cache of a namespace that cannot be read any more shows what was there once.
            let namespace = guarded.meta().namespace.as_deref().unwrap_or_default();
            if context.cluster.namespaces().closed(namespace).is_some() {
                continue;
            }
            match &guarded.0 {
                Ok(other) => {
                    self.read_labels(other).await;
                    cached.push(self.listed(other.clone()));
                }
                Err(other) if self.may_hold(other, instance) => {
                    claims = claims.and(Err(unreadable::object(other, namespace_of(object))));
                }
                Err(_) => {}
            }
        }
        (cached, claims)
    }

    /// Whether every namespace can be read from which the instance may be used.
    async fn namespaces(&self, instance: &str) -> Result<(), Blocker> {
        let Context { cluster, accounts, .. } = self.context.as_ref();
        for (namespace, _) in cluster.namespaces().all_closed() {
            if accounts.opens(&namespace, instance)
                // Where the claims of the whole cluster are read, no namespace hides any.
                && !cluster.sees_everything::<RdsBackup>().await
                && let Some(closed) = cluster.closed::<RdsBackup>(&namespace).await
                && let Some(blocker) = unreadable::namespace(&namespace, closed)
            {
                return Err(blocker);
            }
        }
        Ok(())
    }

    /// Whether an object that does not deserialise may have a request under way on the instance. The allow-list says nothing of namespaces
    /// that another operator watches.
    fn may_hold(&self, object: &Unreadable, instance: &str) -> bool {
        let Context { cluster, accounts, .. } = self.context.as_ref();
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        !siblings::has_ended(object) && (accounts.opens(namespace, instance) || !cluster.watches(namespace))
    }

    fn listed(&self, object: Arc<RdsBackup>) -> InstanceObject {
        let accounts = &self.context.accounts;
        InstanceObject {
            admissible: accounts.admit(namespace_of(&object), &object.spec, recorded::region(&object)),
            release_after: accounts.protocol(&object.spec.account).release_after(),
            ended: self.context.ended.contains(uid_of(&object)),
            too_large: self.context.too_large.contains(uid_of(&object)),
            object,
        }
    }

    async fn list(&self, object: &RdsBackup) -> Result<InstanceObjects, controller::Error> {
        let instance = object.spec.db_instance_id.as_str();
        let found: Found<RdsBackup> = self.context.cluster.list(&format!("spec.dbInstanceId={instance}")).await?;
        let opens = |namespace: &String| self.context.accounts.opens(namespace, instance);
        let mut of_instance =
            InstanceObjects { unreadable: found.closed.into_iter().filter(opens).collect(), ..InstanceObjects::default() };
        for guarded in found.objects {
            match guarded.0 {
                Ok(object) => {
                    self.read_labels(&object).await;
                    of_instance.listed.push(self.listed(object));
                }
                Err(object) if self.may_hold(&object, instance) => of_instance.unreadable.push(unreadable::name(&object)),
                Err(object) => of_instance.claims.extend(Claim::of_unreadable(&object)),
            }
        }
        Ok(of_instance)
    }

    fn admit(&mut self) -> Result<(), Duration> {
        if self.admission.is_none()
            && let Some((access, _)) = &self.means
        {
            self.admission = Some(access.admit()?);
        }
        Ok(())
    }

    async fn read(&self, instance: &InstanceId, what: CloudRead) -> Answer {
        let Some((access, credentials)) = &self.means else {
            return Answer::Read { at: self.context.clock.now(), result: Err(CallError::NotSent { why: NO_CREDENTIALS.to_owned() }) };
        };
        let client = &access.client;
        let sets = |query: SetQuery| async move {
            let told = client.describe_backups(credentials, &query).await?;
            // Without what describes them: they stay in memory while an object waits.
            let value = told.value.sets.into_iter().map(BackupSet::without_details).collect();
            Ok(CloudFinding::Sets(rds::Answer { value, request_id: told.request_id, service_time: told.service_time }))
        };
        let result = match what {
            CloudRead::Attributes => {
                client.describe_instance(credentials, instance).await.map(|told| CloudFinding::Attributes(Box::new(told.value)))
            }
            CloudRead::Tasks(job) => client.describe_backup_tasks(credentials, instance, job.as_ref()).await.map(CloudFinding::Tasks),
            CloudRead::ManualSets(from) => {
                sets(SetQuery { mode: Some(ModeFilter::Manual), from: Some(from), ..SetQuery::of(instance.clone()) }).await
            }
            CloudRead::Policy => client.describe_backup_policy(credentials, instance).await.map(|told| CloudFinding::Policy(told.value)),
            CloudRead::Set(id) => sets(SetQuery { backup_id: Some(id), ..SetQuery::of(instance.clone()) }).await,
        };
        Answer::Read { at: self.context.clock.now().plus(client.clock_offset()), result }
    }

    async fn renew(&mut self) -> bool {
        let Some((access, refused)) = &mut self.means else { return false };
        match access.instead_of(refused).await {
            Some(renewed) => {
                *refused = renewed;
                true
            }
            None => false,
        }
    }

    async fn write(
        &self,
        object: &RdsBackup,
        status: &RdsBackupStatus,
        unfenced: bool,
    ) -> Result<WriteResult<RdsBackup>, controller::Error> {
        let cluster = &self.context.cluster;
        if unfenced { cluster.unfenced().write_status(object, status).await } else { cluster.write_status(object, status).await }
    }

    async fn send(&self, object: &RdsBackup, request: &CreateBackup, stamp: &Stamp) -> CreateOutcome {
        let Some((access, credentials)) = &self.means else {
            return CreateOutcome::Rejected(Rejection::NotSent { why: NO_CREDENTIALS.to_owned() });
        };
        let outcome = access.client.create_backup(credentials, request, stamp).await;
        match &outcome {
            CreateOutcome::Accepted { .. } => self.context.counts.accepted(object, access.client.now()),
            CreateOutcome::Unknown(_) => self.context.counts.outcome_unknown(object),
            CreateOutcome::Rejected(_) => {}
        }
        outcome
    }

    /// The line in the log, and the events, which are published beside the pass.
    fn announce(&self, object: &RdsBackup, Announcement { transition, events }: Announcement) {
        if let Some(after) = transition {
            self.context.counts.moved_to(&after);
            info!(
                namespace = namespace_of(object),
                name = name_of(object),
                uid = uid_of(object),
                instance = %object.spec.db_instance_id,
                phase = after.phase.as_str(),
                reason = after.ready_reason().unwrap_or_default(),
                job_id = after.backup_job_id.as_deref().unwrap_or_default(),
                backup_id = after.backup_id.as_deref().unwrap_or_default(),
                request_id =
                    after.request_id.as_deref().or(after.last_error.as_ref().and_then(|error| error.request_id.as_deref())).unwrap_or_default(),
                "RdsBackup"
            );
        } else {
            for event in &events {
                let (namespace, name, uid) = (namespace_of(object), name_of(object), uid_of(object));
                match event.is_warning() {
                    true => warn!(namespace, name, uid, "{}", event.note()),
                    false => info!(namespace, name, uid, "{}", event.note()),
                }
            }
        }
        for event in events {
            if event.reason() == Reason::Adopted {
                self.context.counts.adopted(object);
            }
            let (cluster, about, now) = (self.context.cluster.clone(), object.object_ref(&()), self.context.clock.now());
            self.context.tasks.spawn(async move { cluster.publish(about, event, now).await });
        }
    }

    fn wake_siblings(&self, object: &RdsBackup) {
        for guarded in self.context.unfinished_of(&object.spec.db_instance_id) {
            if let Ok(other) = &guarded.0
                && other.metadata.uid != object.metadata.uid
            {
                // A closed channel means that the process is about to end.
                let _ = self.context.wake.unbounded_send(ObjectRef::new(name_of(other)).within(namespace_of(other)));
            }
        }
    }
}

async fn pause_recording(object: &RdsBackup, pause: Duration, why: &str) {
    warn!(
        uid = uid_of(object),
        instance = %object.spec.db_instance_id,
        error = why,
        retry_in_s = pause.as_secs_f32(),
        "the answer to CreateBackup is not recorded yet"
    );
    tokio::time::sleep(pause).await;
}

fn view(access: &Access, credentials: Result<(), Blocker>) -> AccountView {
    let settings = &access.account.settings;
    AccountView {
        connection: access.connection_id(),
        region_id: access.region_id.clone(),
        regions: access.regions.clone(),
        key_source: settings.credentials.to_string(),
        protocol: settings.protocol.clone(),
        poll: settings.poll.clone(),
        paused: access.account.paused(),
        credentials,
    }
}

fn namespace_of(object: &RdsBackup) -> &str {
    object.metadata.namespace.as_deref().unwrap_or_default()
}

fn name_of(object: &RdsBackup) -> &str {
    object.metadata.name.as_deref().unwrap_or_default()
}

fn uid_of(object: &RdsBackup) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
}
