//! The environment of a row: a namespace and instances of its own, and the operators that work there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::error::FaultsError;
use crate::faults::outcome::{Asked, Expected, Outcome};
use crate::faults::plan_run::ended;
use crate::faults::proxied_operator::{ProxiedOperator, Setup};
use crate::faults::upstream::Upstream;
use crate::faults::violation::{ROW, Violation};
use crate::plane::Kubectl;
use crate::rds::InstanceSpec;
use crate::world::{NAMESPACE, SERVICE_ACCOUNT, World};

/// How long a row continues after its last change: writes that should not happen would happen then.
const AFTERWARDS: Duration = Duration::from_secs(4);

/// The world of all plans, or one of its own.
pub(super) enum RowWorld<'w> {
    Shared(&'w World),
    Own(Box<World>),
}

impl std::ops::Deref for RowWorld<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        match self {
            Self::Shared(world) => world,
            Self::Own(world) => world,
        }
    }
}

/// What a row works with, and its outcome so far.
pub(super) struct Environment<'w> {
    pub world: RowWorld<'w>,
    upstream: Upstream,
    number: usize,
    began: Instant,
    pub outcome: Outcome,
    pub operators: Vec<ProxiedOperator>,
}

impl<'w> Environment<'w> {
    pub(super) async fn new(
        world: RowWorld<'w>,
        upstream: Upstream,
        number: usize,
        id: String,
        group: (String, String),
    ) -> Result<Self, FaultsError> {
        let namespace = format!("plan-{number}");
        world.kubectl().run(&["create", "namespace", &namespace]).await?;
        let outcome = Outcome::new(id, group, namespace, Expected::Backups(0));
        Ok(Self { world, upstream, number, began: Instant::now(), outcome, operators: Vec::new() })
    }

    /// Stops the operators and returns the outcome.
    pub(super) async fn ended(mut self) -> Result<(Outcome, RowWorld<'w>), FaultsError> {
        tokio::time::sleep(AFTERWARDS).await;
        for operator in &mut self.operators {
            operator.process.stop().await?;
            self.outcome.requests.extend(operator.injector.requests());
            self.outcome.faults += operator.network.applied();
            self.outcome.logs.append(&mut operator.logs);
        }
        self.outcome.objects = self.objects().await?;
        self.outcome.took = self.began.elapsed();
        Ok((self.outcome, self.world))
    }

    pub(super) fn kubectl(&self) -> Kubectl {
        self.world.kubectl()
    }

    /// The world, where it is of its own.
    pub(super) fn own(&mut self) -> &mut World {
        match &mut self.world {
            RowWorld::Own(world) => world,
            RowWorld::Shared(_) => unreachable!("the table gives every row that asks for this a world of its own"),
        }
    }

    /// A name that no other row uses.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.number)
    }

    /// An instance that no other row uses.
    pub(super) fn instance(&self, what: &str) -> String {
        format!("rm-mysql-{}-{what}", self.number)
    }

    /// Sets how long the jobs of some of this row's instances run: long enough to change an object while its job runs, on a busy machine
    /// too.
    pub(super) fn jobs_run_for(&self, what: &str, length: Duration) {
        let pattern = self.instance(what);
        self.world.rds.define(&pattern, InstanceSpec { job_time: Some(length), ..InstanceSpec::default() });
    }

    /// Starts an operator and waits until it is ready. It is the last of `operators`.
    pub(super) async fn start_operator(&mut self) -> Result<&mut ProxiedOperator, FaultsError> {
        self.start_operator_with(Setup::default()).await
    }

    pub(super) async fn start_operator_with(&mut self, setup: Setup) -> Result<&mut ProxiedOperator, FaultsError> {
        if setup.leader_elect && self.operators.is_empty() {
            self.grant_leases().await?;
        }
        let ready = !setup.stands_by_for_another_install;
        let name = format!("{}-{}", self.outcome.namespace, self.operators.len());
        let mut operator = ProxiedOperator::start(&self.world, &self.upstream, &name, &self.outcome.namespace, setup).await?;
        if ready {
            operator.process.wait_ready(Duration::from_secs(60)).await?;
        }
        self.operators.push(operator);
        let last = self.operators.len() - 1;
        Ok(&mut self.operators[last])
    }

    /// The world's role is for the lease of an operator of the whole cluster. The row's operators watch one namespace, and have a lease of
    /// another name, in another namespace: rows that run side by side do not stand by for each other.
    async fn grant_leases(&self) -> Result<(), FaultsError> {
        let (name, kubectl) = (format!("leases-of-{}", self.outcome.namespace), self.kubectl());
        let role = ["create", "role", &name, "--verb=get,create,update", "--resource=leases.coordination.k8s.io", "--namespace", NAMESPACE];
        kubectl.run(&role).await?;
        let (role, account) = (format!("--role={name}"), format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}"));
        kubectl.run(&["create", "rolebinding", &name, &role, &account, "--namespace", NAMESPACE]).await?;
        Ok(())
    }

    /// The first operator.
    pub(super) fn first_operator(&mut self) -> &mut ProxiedOperator {
        &mut self.operators[0]
    }

    /// Starts every operator again that has ended, and returns how many there were.
    pub(super) fn restart_ended(&mut self) -> Result<usize, FaultsError> {
        let mut ended = 0;
        for operator in &mut self.operators {
            if operator.process.ended_already()?.is_some() {
                operator.restart(&self.world)?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// Expects that the first operator's first process still runs.
    pub(super) fn expect_still_running(&mut self) -> Result<(), FaultsError> {
        if let Some(status) = self.first_operator().process.ended_already()? {
            let tail = self.first_operator().process.log_tail();
            self.expect(false, format!("the operator ended ({status}):\n{tail}"));
        }
        Ok(())
    }

    /// Creates RdsBackups `NAME-0` and so on, `each` of them for each of so many instances.
    pub(super) async fn backups(&mut self, name: &str, instances: usize, each: usize) -> Result<(), FaultsError> {
        let mut items = Vec::new();
        for number in 0..instances {
            let instance = self.instance(&format!("{name}-{number}"));
            self.outcome.asked.push(Asked { instance: instance.clone(), backups: each..=each });
            items.extend((0..each).map(|one| self.object(&format!("{name}-{number}-{one}"), &instance)));
        }
        self.expect_more(instances * each);
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        self.kubectl().run_with_input(&["create", "--filename=-"], &list.to_string()).await?;
        Ok(())
    }

    /// Creates one RdsBackup of that instance.
    pub(super) async fn backup(&mut self, name: &str, instance: &str) -> Result<(), FaultsError> {
        let object = self.object(name, instance);
        self.kubectl().run_with_input(&["create", "--filename=-"], &object.to_string()).await?;
        Ok(())
    }

    /// So many backups of an instance are right.
    pub(super) fn asked(&mut self, instance: &str, backups: std::ops::RangeInclusive<usize>) {
        self.outcome.asked.push(Asked { instance: instance.to_owned(), backups });
    }

    /// So many more objects must be there at the end.
    pub(super) fn expect_more(&mut self, backups: usize) {
        if let Expected::Backups(count) = &mut self.outcome.expected {
            *count += backups;
        }
    }

    fn object(&self, name: &str, instance: &str) -> Value {
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": self.outcome.namespace },
            "spec": { "dbInstanceId": instance, "method": "Physical" },
        })
    }

    pub(super) async fn objects(&self) -> Result<Vec<Value>, FaultsError> {
        crate::faults::plan_run::objects(&self.world, &self.outcome.namespace).await
    }

    /// How many requests of this row were accepted by now.
    pub(super) fn accepted(&self) -> usize {
        let instances: BTreeMap<&str, ()> = self.outcome.asked.iter().map(|asked| (asked.instance.as_str(), ())).collect();
        self.world.rds.ledger().iter().filter(|entry| instances.contains_key(entry.instance.as_str())).count()
    }

    /// Waits until so many were accepted.
    pub(super) async fn until_accepted(&mut self, count: usize, limit: Duration) -> bool {
        let began = Instant::now();
        while self.accepted() < count {
            if began.elapsed() > limit {
                self.outcome.trouble(format!("{} accepted, and not {count}, after {} s", self.accepted(), limit.as_secs()));
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Waits until the objects are as wanted. A control plane that does not answer is asked again.
    pub(super) async fn until(&mut self, what: &str, limit: Duration, wanted: impl Fn(&[Value]) -> bool) -> bool {
        let began = Instant::now();
        loop {
            if self.objects().await.is_ok_and(|objects| wanted(&objects)) {
                return true;
            }
            if began.elapsed() > limit {
                self.outcome.trouble(format!("not {what} after {} s", limit.as_secs()));
                return false;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Waits until all objects are at their ends.
    pub(super) async fn until_ended(&mut self, limit: Duration) -> bool {
        self.until("at their ends", limit, ended).await
    }

    /// Waits until an object has a phase.
    pub(super) async fn until_phase(&mut self, name: &str, phase: &str) -> bool {
        let what = format!("{phase}: {name}");
        self.until(&what, Duration::from_secs(60), |objects| of_name(objects, name)["status"]["phase"] == phase).await
    }

    /// A rule of the row itself.
    pub(super) fn expect(&mut self, right: bool, what: impl Into<String>) {
        if !right {
            self.outcome.troubles.push(Violation { rule: ROW, what: what.into() });
        }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.outcome.notes.push(note.into());
    }
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The object of that name; null if there is none.
pub(super) fn of_name<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    objects.iter().find(|object| object["metadata"]["name"] == name).unwrap_or(&Value::Null)
}

/// One condition of an object; null if it is not there.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}
