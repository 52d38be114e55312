//! The model: everything that can happen next, and what it leads to.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicI64},
};

use rds_backup_operator::{backup::decide::Effect, rds::CreateOutcome};
use stateright::{Model, Property};

use crate::model::{
    cloud::{self, Cloud, Owner, State},
    laws,
    passes::{Ending, System},
    setup::Setup,
    world::{Process, Seat, Step, TICK, Waiting, World, fresh},
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
        let endings = |fails: bool, write: bool, unheard: bool| {
            let late = write && self.setup.late_writes && world.late.is_empty();
            [(Ending::Fine, true), (Ending::Unheard, unheard), (Ending::Failed, fails), (Ending::Late, late)]
                .into_iter()
                .filter_map(|(ending, may)| may.then_some(ending))
        };
        match &process.pass {
            None => {
                for slot in 0..world.slots.len() {
                    if process.sender.as_ref().is_none_or(|sender| sender.turn.slot != slot) {
                        let endings = endings(self.setup.blind, false, false);
                        actions.extend(endings.map(|ending| Action::Wake { process: index, slot, ending }));
                    }
                }
            }
            Some(pass) => {
                // Of the other writes it makes no difference whether the process knows that they landed: it looks again, and sees.
                let (write, unheard) = match &pass.step {
                    Step::Write(decided) => (true, self.setup.slow_writes || matches!(decided.decision.effect, Some(Effect::Send { .. }))),
                    _ => (false, false),
                };
                actions.extend(endings(false, write, unheard).map(|ending| Action::GoOn { process: index, ending }));
            }
        }
        match process.sender.as_ref().map(|sender| &sender.answer) {
            Some(Waiting::ForAnswer) => actions.push(Action::Hear { process: index, heard: false }),
            Some(Waiting::Arrived(_)) => actions.extend([true, false].map(|heard| Action::Hear { process: index, heard })),
            None => {}
        }
        if process.pass.is_some() || process.sender.is_some() || process.seats.iter().any(|seat| !seat.is_blank()) {
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
                process.seats = process.seats.iter().map(|seat| Arc::new(Seat::new(&seat.uid))).collect();
                (process.pass, process.sender) = (None, None);
            }
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
        if let Some(sender) = senders.find(|sender| sender.nonce == nonce && sender.answer == Waiting::ForAnswer) {
            sender.answer = Waiting::Arrived(answer);
        }
    }
}

impl Seat {
    fn is_blank(&self) -> bool {
        let memory = &self.memory;
        memory.own.is_none()
            && memory.preflight.is_none()
            && memory.looks.nonce.is_empty()
            && memory.follow.at.is_none()
            && memory.hold_until.is_none()
            && !self.freshest.is_unsure()
    }
}

/// One step of a trace, as a person reads it.
pub struct Told<'a>(pub &'a World, pub &'a Action);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(world, action) = self;
        let name = |process: usize| world.processes[process].name;
        let object = |slot: usize| ["a", "b", "c"][slot];
        let working = |process: &Process| process.pass.as_ref().map_or("?", |pass| object(pass.turn.slot));
        let sending = |process: &Process| process.sender.as_ref().map_or("?", |sender| object(sender.turn.slot));
        match action {
            Action::Wake { process, slot, ending } => {
                write!(f, "{} looks at {}{}", name(*process), object(*slot), ending.told())
            }
            Action::GoOn { process, ending } => {
                let process = &world.processes[*process];
                let what = process.pass.as_ref().map_or_else(String::new, |pass| pass.step.told());
                write!(f, "{}: {}: {what}{}", process.name, working(process), ending.told())
            }
            Action::Hear { process, heard } => {
                let process = &world.processes[*process];
                let what = match (&process.sender.as_ref().map(|sender| &sender.answer), heard) {
                    (Some(Waiting::Arrived(answer)), true) => format!("hears {answer:?}"),
                    _ => "gives up waiting for the answer".to_owned(),
                };
                write!(f, "{}: {}: {what}", process.name, sending(process))
            }
            Action::Crash { process } => write!(f, "{} crashes and starts again", name(*process)),
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
        }
    }
}

impl Step {
    pub fn told(&self) -> String {
        let (what, decided) = match self {
            Self::Reread(decided) => ("reads it again", decided),
            Self::Write(decided) => ("writes", decided),
            Self::Act(decided) => match decided.decision.effect.as_ref() {
                Some(Effect::Preflight { .. }) => ("preflight", decided),
                Some(Effect::Clear { .. }) => ("lists the others", decided),
                Some(Effect::Send { .. }) => ("sends", decided),
                Some(Effect::Look { .. }) => ("looks for its backup", decided),
                Some(Effect::Follow { .. }) => ("polls its job", decided),
                Some(Effect::WriteIntent { .. }) | None => ("nothing", decided),
            },
            Self::ReadSets(decided, ..) => ("lists the sets", decided),
            Self::ReadClaims(decided, ..) => ("lists the claims", decided),
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
