//! Where a row is played: a namespace and instances of its own, and the operators in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::error::FaultsError;
use crate::faults::plan_run::ended;
use crate::faults::ran::{Asked, Expected, Ran};
use crate::faults::stand::{Setup, Stand};
use crate::faults::upstream::Upstream;
use crate::faults::violation::{ROW, Violation};
use crate::plane::Kubectl;
use crate::rds::InstanceSpec;
use crate::world::World;

/// How long after its last change a row is taken to be over; what is written too much is written in it.
const AFTERWARDS: Duration = Duration::from_secs(4);

/// The world of all plans, or one of its own.
pub(super) enum Place<'w> {
    Shared(&'w World),
    Own(Box<World>),
}

impl std::ops::Deref for Place<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        match self {
            Self::Shared(world) => world,
            Self::Own(world) => world,
        }
    }
}

pub(super) struct Ground<'w> {
    pub world: Place<'w>,
    upstream: Upstream,
    number: usize,
    began: Instant,
    pub ran: Ran,
    pub stands: Vec<Stand>,
}

impl<'w> Ground<'w> {
    pub(super) async fn new(
        world: Place<'w>,
        upstream: Upstream,
        number: usize,
        id: String,
        group: (String, String),
    ) -> Result<Self, FaultsError> {
        let namespace = format!("plan-{number}");
        world.kubectl().run(&["create", "namespace", &namespace]).await?;
        let ran = Ran::new(id, group, namespace, Expected::Backups(0));
        Ok(Self { world, upstream, number, began: Instant::now(), ran, stands: Vec::new() })
    }

    /// What came of it, when its operators have ended.
    pub(super) async fn ended(mut self) -> Result<(Ran, Place<'w>), FaultsError> {
        tokio::time::sleep(AFTERWARDS).await;
        for stand in &mut self.stands {
            stand.operator.stop().await?;
            self.ran.requests.extend(stand.strike.requests());
            self.ran.struck += stand.sky.struck();
            self.ran.logs.append(&mut stand.logs);
        }
        self.ran.objects = self.objects().await?;
        self.ran.took = self.began.elapsed();
        Ok((self.ran, self.world))
    }

    pub(super) fn kubectl(&self) -> Kubectl {
        self.world.kubectl()
    }

    /// The world, where it is of its own.
    pub(super) fn own(&mut self) -> &mut World {
        match &mut self.world {
            Place::Own(world) => world,
            Place::Shared(_) => unreachable!("the table gives every row that asks for this a world of its own"),
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

    /// The jobs of those of this row's instances run for so long. What is done to an object under way comes within that, on a busy machine too.
    pub(super) fn jobs_run_for(&self, what: &str, length: Duration) {
        let pattern = self.instance(what);
        self.world.rds.define(&pattern, InstanceSpec { job_time: Some(length), ..InstanceSpec::default() });
    }

    /// An operator that is ready, as the last of the stands.
    pub(super) async fn operator(&mut self) -> Result<&mut Stand, FaultsError> {
        self.operator_with(Setup::default()).await
    }

    pub(super) async fn operator_with(&mut self, setup: Setup) -> Result<&mut Stand, FaultsError> {
        let name = format!("{}-{}", self.ran.namespace, self.stands.len());
        let mut stand = Stand::start(&self.world, &self.upstream, &name, &self.ran.namespace, setup).await?;
        stand.operator.wait_ready(Duration::from_secs(60)).await?;
        self.stands.push(stand);
        let last = self.stands.len() - 1;
        Ok(&mut self.stands[last])
    }

    /// The first operator.
    pub(super) fn stand(&mut self) -> &mut Stand {
        &mut self.stands[0]
    }

    /// Starts every operator again that has ended; how many there were.
    pub(super) fn start_those_that_ended(&mut self) -> Result<usize, FaultsError> {
        let mut ended = 0;
        for stand in &mut self.stands {
            if stand.operator.ended_already()?.is_some() {
                stand.again(&self.world)?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    /// The first operator's process has gone through all of it.
    pub(super) fn still_the_first(&mut self) -> Result<(), FaultsError> {
        if let Some(status) = self.stand().operator.ended_already()? {
            let tail = self.stand().operator.log_tail();
            self.expect(false, format!("the operator ended ({status}):\n{tail}"));
        }
        Ok(())
    }

    /// Creates RdsBackups `NAME-0` and so on, `each` of them for each of so many instances.
    pub(super) async fn backups(&mut self, name: &str, instances: usize, each: usize) -> Result<(), FaultsError> {
        let mut items = Vec::new();
        for number in 0..instances {
            let instance = self.instance(&format!("{name}-{number}"));
            self.ran.asked.push(Asked { instance: instance.clone(), backups: each..=each });
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
        self.ran.asked.push(Asked { instance: instance.to_owned(), backups });
    }

    /// So many more objects must be there at the end.
    pub(super) fn expect_more(&mut self, backups: usize) {
        if let Expected::Backups(count) = &mut self.ran.expected {
            *count += backups;
        }
    }

    fn object(&self, name: &str, instance: &str) -> Value {
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": self.ran.namespace },
            "spec": { "dbInstanceId": instance, "method": "Physical" },
        })
    }

    pub(super) async fn objects(&self) -> Result<Vec<Value>, FaultsError> {
        crate::faults::plan_run::objects(&self.world, &self.ran.namespace).await
    }

    /// How many requests of this row were accepted by now.
    pub(super) fn accepted(&self) -> usize {
        let instances: BTreeMap<&str, ()> = self.ran.asked.iter().map(|asked| (asked.instance.as_str(), ())).collect();
        self.world.rds.ledger().iter().filter(|entry| instances.contains_key(entry.instance.as_str())).count()
    }

    /// Waits until so many were accepted.
    pub(super) async fn until_accepted(&mut self, count: usize, limit: Duration) -> bool {
        let began = Instant::now();
        while self.accepted() < count {
            if began.elapsed() > limit {
                self.ran.trouble(format!("{} accepted, and not {count}, after {} s", self.accepted(), limit.as_secs()));
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Waits until the objects are as wanted. A control plane that is away is asked again.
    pub(super) async fn until(&mut self, what: &str, limit: Duration, wanted: impl Fn(&[Value]) -> bool) -> bool {
        let began = Instant::now();
        loop {
            if self.objects().await.is_ok_and(|objects| wanted(&objects)) {
                return true;
            }
            if began.elapsed() > limit {
                self.ran.trouble(format!("not {what} after {} s", limit.as_secs()));
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

    /// What the row says besides.
    pub(super) fn expect(&mut self, right: bool, what: impl Into<String>) {
        if !right {
            self.ran.troubles.push(Violation { rule: ROW, what: what.into() });
        }
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.ran.notes.push(note.into());
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
