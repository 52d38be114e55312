//! The model: everything that can happen next, and what it leads to.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicI64},
};

use rds_backup_operator::{
    backup::{
        pass::Stage,
        request::{CloudRead, Request},
    },
    rds::CreateOutcome,
};
use stateright::{Model, Property};

use crate::model::{
    cloud::{self, Cloud, Owner, State},
    flaws::Flaw,
    laws,
    process::{Ending, System, sends_next},
    setup::Setup,
    world::{Arrived, Remembered, TICK, UnderWay, World, decided, fresh},
};

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A process looks at an object and decides.
    Wake {
        process: usize,
        slot: usize,
        ending: Ending,
    },
    GoOn {
        process: usize,
        ending: Ending,
    },
    /// The answer is read, or waited for no longer; and recorded.
    Hear {
        process: usize,
        heard: bool,
    },
    Crash {
        process: usize,
    },
    /// A process does not renew its lease in time.
    Lose {
        process: usize,
    },
    /// A cache takes in the next event of its watch.
    See {
        process: usize,
        slot: usize,
    },
    Land {
        index: usize,
    },
    /// A request arrives, and its answer is on its way back.
    Deliver {
        index: usize,
    },
    /// A request arrives, its answer is lost, and a copy of it is still on its way.
    Swallow {
        index: usize,
    },
    /// A request arrives, and is refused by an error that proves that nothing was created.
    Refuse {
        index: usize,
    },
    End {
        job: usize,
        well: bool,
    },
    List {
        job: usize,
    },
    Foreign,
    Automated,
    Delete {
        slot: usize,
    },
    Create {
        slot: usize,
    },
    Tick,
}

impl Action {
    /// Whether it is the world at its best: what must be enough to come to an end once the faults stop.
    pub fn is_kind(&self) -> bool {
        match self {
            Self::GoOn { ending, .. } | Self::Wake { ending, .. } => *ending == Ending::Fine,
            Self::Hear { .. } | Self::See { .. } | Self::Deliver { .. } | Self::List { .. } | Self::Tick => true,
            Self::End { well, .. } => *well,
            Self::Create { .. } => true,
            _ => false,
        }
    }
}

impl System {
    pub fn new(setup: Setup) -> Self {
        let account = Ok(setup.account());
        Self { setup, account, pause: AtomicI64::new(0) }
    }

    fn of_process(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let process = &world.processes[index];
        let refused = [Ending::Refused { renewed: true }, Ending::Refused { renewed: false }];
        let refused = || refused.into_iter().filter(|_| self.setup.refused_reads);
        match &process.pass {
            None => {
                for slot in 0..world.slots.len() {
                    if process.sender.as_ref().is_none_or(|sender| sender.work.slot != slot) {
                        let failed = self.setup.blind.then_some(Ending::Failed);
                        let endings = [Ending::Fine].into_iter().chain(failed).chain(refused());
                        actions.extend(endings.map(|ending| Action::Wake { process: index, slot, ending }));
                    }
                }
            }
            Some(under_way) => {
                let go_on = |ending| Action::GoOn { process: index, ending };
                actions.push(go_on(Ending::Fine));
                match &under_way.pending {
                    Request::WriteStatus { .. } if under_way.arrived.is_none() => {
                        // Of the other writes it makes no difference whether the process knows that they landed: it looks again, and sees.
                        let unheard = self.setup.slow_writes || sends_next(&under_way.work.pass);
                        let late = self.setup.late_writes && world.late.is_empty();
                        let endings = [(Ending::Unheard, unheard), (Ending::Late, late), (Ending::Failed, self.has(Flaw::UnsureIsDone))];
                        actions.extend(endings.into_iter().filter(|(_, may)| *may).map(|(ending, _)| go_on(ending)));
                    }
                    Request::Read { .. } => actions.extend(refused().map(go_on)),
                    _ => {}
                }
            }
        }
        match process.sender.as_ref().map(|sender| &sender.arrived) {
            Some(None) => actions.push(Action::Hear { process: index, heard: false }),
            Some(Some(_)) => actions.extend([true, false].map(|heard| Action::Hear { process: index, heard })),
            None => {}
        }
        if self.setup.loses && process.leads {
            actions.push(Action::Lose { process: index });
        }
        let remembers = !process.leads || !process.ended.is_empty() || process.memories.iter().any(|memory| !memory.is_blank());
        if remembers || process.pass.is_some() || process.sender.is_some() {
            actions.push(Action::Crash { process: index });
        }
        if self.setup.stale > 0 {
            let behind = |slot: &usize| process.cache[*slot] + 1 < world.slots[*slot].history.len();
            actions.extend((0..world.slots.len()).filter(behind).map(|slot| Action::See { process: index, slot }));
        }
    }

    fn of_cloud(&self, world: &World, actions: &mut Vec<Action>) {
        let cloud = &world.cloud;
        for (index, request) in cloud.wire.iter().enumerate() {
            if !Cloud::takes(request, world.now, &self.setup) {
                continue;
            }
            actions.push(Action::Deliver { index });
            if !request.used {
                if self.setup.duplicates {
                    actions.push(Action::Swallow { index });
                }
                if self.setup.refusals {
                    actions.push(Action::Refuse { index });
                }
            }
        }
        for (job, kept) in cloud.jobs.iter().enumerate() {
            match kept.state {
                State::Running => {
                    actions.push(Action::End { job, well: true });
                    if cloud.failures > 0 {
                        actions.push(Action::End { job, well: false });
                    }
                }
                _ if !kept.listed => actions.push(Action::List { job }),
                _ => {}
            }
        }
        if cloud.busy().is_none() {
            if cloud.foreign > 0 {
                actions.push(Action::Foreign);
            }
            if cloud.automated > 0 {
                actions.push(Action::Automated);
            }
        }
    }

    fn may_tick(&self, world: &World) -> bool {
        let late = |job: &cloud::Job| job.state != State::Running && !job.listed && world.now + TICK - job.ended > self.setup.lag;
        !world.cloud.jobs.iter().any(late)
    }
}

impl Model for System {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::new(&self.setup);
        world.tidy(&self.setup);
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        for index in 0..world.processes.len() {
            self.of_process(world, index, actions);
        }
        self.of_cloud(world, actions);
        actions.extend((0..world.late.len()).map(|index| Action::Land { index }));
        for slot in 0..world.slots.len() {
            match world.object(slot) {
                Some(_) if world.deletions > 0 => actions.push(Action::Delete { slot }),
                Some(_) => {}
                None => actions.push(Action::Create { slot }),
            }
        }
        if self.may_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Wake { process, slot, ending } => {
                if !world.wake(self, process, slot, ending) {
                    return None;
                }
            }
            Action::GoOn { process, ending } => {
                world.go_on(self, process, ending);
            }
            Action::Hear { process, heard } => world.hear(self, process, heard),
            Action::Crash { process } => {
                let process = &mut world.processes[process];
                process.memories = process.memories.iter().map(|memory| Remembered::new(&memory.uid)).collect();
                (process.pass, process.sender, process.leads) = (None, None, true);
                process.ended.clear();
            }
            Action::Lose { process } => world.processes[process].leads = false,
            Action::See { process, slot } => world.processes[process].cache[slot] += 1,
            Action::Land { index } => world.land_late(index),
            Action::Deliver { index } => {
                let answer = world.cloud.receive(index, world.now);
                let nonce = world.cloud.wire.remove(index).nonce;
                world.answer(&nonce, answer);
            }
            Action::Swallow { index } => {
                world.cloud.receive(index, world.now);
            }
            Action::Refuse { index } => {
                let nonce = world.cloud.wire.remove(index).nonce;
                world.answer(&nonce, cloud::refusal());
            }
            Action::End { job, well } => {
                let cloud = &mut world.cloud;
                cloud.failures -= u8::from(!well);
                let job = &mut cloud.jobs[job];
                job.state = if well { State::Succeeded } else { State::Failed };
                job.ended = world.now;
                // Nobody looks for the set of an automated job.
                job.listed = job.owner == Owner::Automated;
            }
            Action::List { job } => world.cloud.jobs[job].listed = true,
            Action::Foreign => {
                world.cloud.foreign -= 1;
                world.cloud.start(Owner::Foreign(self.setup.foreign_method), world.now);
            }
            Action::Automated => {
                world.cloud.automated -= 1;
                world.cloud.start(Owner::Automated, world.now);
            }
            Action::Delete { slot } => {
                world.deletions -= 1;
                world.store(slot, None, Vec::new());
            }
            Action::Create { slot } => {
                let object = fresh(&self.setup, slot, self.setup.deletions - world.deletions);
                world.store(slot, Some(object), Vec::new());
            }
            Action::Tick => world.now += TICK,
        }
        world.tidy(&self.setup);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::all()
    }
}

impl World {
    /// An answer is on its way back to whoever still waits for it.
    fn answer(&mut self, nonce: &str, answer: CreateOutcome) {
        let mut senders = self.processes.iter_mut().filter_map(|process| process.sender.as_mut());
        if let Some(sender) = senders.find(|sender| sender.nonce() == Some(nonce) && sender.arrived.is_none()) {
            Arc::make_mut(sender).arrived = Some(Arrived::Sent(answer));
        }
    }
}

/// One step of a trace, as a person reads it.
pub struct Told<'a>(pub &'a World, pub &'a Action);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(world, action) = self;
        let name = |process: usize| world.processes[process].name;
        let object = |slot: usize| ["a", "b", "c"][slot];
        let of = |under_way: &Option<Arc<UnderWay>>| under_way.as_ref().map_or("?", |under_way| object(under_way.work.slot));
        match action {
            Action::Wake { process, slot, ending } => {
                write!(f, "{} looks at {}{}", name(*process), object(*slot), ending.told())
            }
            Action::GoOn { process, ending } => {
                let process = &world.processes[*process];
                let what = process.pass.as_ref().map_or_else(String::new, |pass| pass.told());
                write!(f, "{}: {}: {what}{}", process.name, of(&process.pass), ending.told())
            }
            Action::Hear { process, heard } => {
                let process = &world.processes[*process];
                let what = match (process.sender.as_ref().and_then(|sender| sender.arrived.as_ref()), heard) {
                    (Some(Arrived::Sent(answer)), true) => format!("hears {answer:?}"),
                    _ => "gives up waiting for the answer".to_owned(),
                };
                write!(f, "{}: {}: {what}", process.name, of(&process.sender))
            }
            Action::Crash { process } => write!(f, "{} crashes and starts again", name(*process)),
            Action::Lose { process } => write!(f, "{} loses its lease", name(*process)),
            Action::See { process, slot } => write!(f, "the cache of {} takes in a newer {}", name(*process), object(*slot)),
            Action::Land { index } => write!(f, "the late write of {} lands", object(world.late[*index].slot)),
            Action::Deliver { index } => write!(f, "the request {} arrives", world.cloud.wire[*index].nonce),
            Action::Swallow { index } => {
                write!(f, "the request {} arrives, its answer is lost, a copy is on its way", world.cloud.wire[*index].nonce)
            }
            Action::Refuse { index } => write!(f, "the request {} arrives and is refused", world.cloud.wire[*index].nonce),
            Action::End { job, well } => write!(f, "job {} {}", job + 1, if *well { "ends well" } else { "fails" }),
            Action::List { job } => write!(f, "set s{} is listed", job + 1),
            Action::Foreign => f.write_str("somebody starts a backup by hand"),
            Action::Automated => f.write_str("the policy starts an automated backup"),
            Action::Delete { slot } => write!(f, "{} is deleted", object(*slot)),
            Action::Create { slot } => write!(f, "{} is created again", object(*slot)),
            Action::Tick => f.write_str("a minute passes"),
        }
    }
}

impl Ending {
    fn told(self) -> &'static str {
        match self {
            Self::Fine => "",
            Self::Unheard => ", done, and the answer is lost",
            Self::Failed => ", which fails",
            Self::Late => ", gives up, and it may still be done",
            Self::Refused { renewed: true } => ", its credentials are refused, and there are others",
            Self::Refused { renewed: false } => ", and its credentials are refused",
        }
    }
}

impl UnderWay {
    pub fn told(&self) -> String {
        let Some(decided) = decided(&self.work.pass) else { return String::new() };
        let what = match (&self.pending, self.work.pass.stage()) {
            (Request::WriteStatus { .. }, _) if self.arrived.is_some() => "sends",
            (Request::WriteStatus { .. }, _) => "writes",
            (Request::ListInstance, Stage::Clear(_)) => "lists the others",
            (Request::ListInstance, _) => "lists the claims",
            (Request::Read { what: CloudRead::ManualSets(_), .. }, _) => "lists the sets",
            _ => "asks",
        };
        let status = &decided.decision.status;
        let intent = status.submission.as_ref().map_or_else(String::new, |intent| {
            let outcome =
                intent.outcome.map_or_else(|| if intent.cleared { "cleared" } else { "open" }.to_owned(), |end| format!("{end:?}"));
            format!(", {} {outcome}", intent.nonce)
        });
        let result = status.backup_job_id.as_deref().map(|job| format!(", job {job}")).unwrap_or_default();
        format!("{what} [{}{intent}{result}]", status.phase.as_str())
    }
}
