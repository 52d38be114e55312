//! From every state an end must be reachable without further faults: the whole graph is kept, and walked backwards from where all is at
//! rest.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    time::Instant,
};

use stateright::Model;

use crate::model::{
    configurations,
    laws::is_left_to_people,
    process::System,
    setup::Setup,
    system::{Action, Told},
    table::say,
    world::World,
};

/// The states of a configuration, and which follows which when the world is at its best.
struct Graph {
    /// How each state was first reached.
    parents: Vec<Option<(u32, Action)>>,
    /// (to, from) for every kind action.
    kind: Vec<(u32, u32)>,
    ends: Vec<u32>,
}

/// What went wrong, in words.
pub fn explore(setup: Setup) -> Vec<String> {
    let began = Instant::now();
    let (name, bounds) = (setup.name, setup.bounds());
    let system = System::new(setup);
    let mut graph = Graph::of(&system);
    let stuck = graph.stuck();
    say(&format!(
        "an end is reachable: {name} ({bounds}): {} states, {} kind steps, {} ends, {} stuck, {:.0} s",
        graph.parents.len(),
        graph.kind.len(),
        graph.ends.len(),
        stuck.len(),
        began.elapsed().as_secs_f64()
    ));
    if let Some(first) = stuck.first() {
        tell(&system, &graph.way_to(*first));
        return vec![format!("{name}: from {} states no end is reachable", stuck.len())];
    }
    Vec::new()
}

fn print(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Every object is at its end, or waits where the documentation says so, or used up the attempts that are explored.
fn is_end(world: &World, setup: &Setup) -> bool {
    world.processes.iter().all(|process| process.sender.is_none())
        && (0..world.slots.len()).all(|slot| {
            let Some(status) = world.object(slot).and_then(|object| object.status.as_ref()) else { return false };
            let used_up = status.submission.as_ref().is_some_and(|last| last.outcome.is_some() && last.attempt >= setup.attempts)
                && status.origin.is_none();
            status.phase.is_terminal() || is_left_to_people(status) || used_up
        })
}

impl Graph {
    fn of(system: &System) -> Self {
        let mut graph = Self { parents: Vec::new(), kind: Vec::new(), ends: Vec::new() };
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut ahead: VecDeque<(u32, World)> = VecDeque::new();
        for world in system.init_states() {
            known.insert(print(&world), 0);
            graph.parents.push(None);
            ahead.push_back((0, world));
        }
        let mut actions = Vec::new();
        while let Some((from, world)) = ahead.pop_front() {
            if is_end(&world, &system.setup) {
                graph.ends.push(from);
            }
            system.actions(&world, &mut actions);
            for action in actions.drain(..) {
                let kind = action.is_kind();
                let Some(next) = system.next_state(&world, action.clone()) else { continue };
                let fresh = u32::try_from(graph.parents.len()).expect("fewer states than that");
                let to = *known.entry(print(&next)).or_insert(fresh);
                if to == fresh {
                    graph.parents.push(Some((from, action)));
                    ahead.push_back((to, next));
                }
                if kind && to != from {
                    graph.kind.push((to, from));
                }
            }
        }
        graph
    }

    /// The states from which no end is reachable, the first found first.
    fn stuck(&mut self) -> Vec<u32> {
        self.kind.sort_unstable();
        let mut reaches = vec![false; self.parents.len()];
        let mut ahead = self.ends.clone();
        for end in &ahead {
            reaches[*end as usize] = true;
        }
        while let Some(to) = ahead.pop() {
            let start = self.kind.partition_point(|(known, _)| *known < to);
            for (_, from) in self.kind[start..].iter().take_while(|(known, _)| *known == to) {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    ahead.push(*from);
                }
            }
        }
        (0..).zip(reaches).filter_map(|(state, reaches)| (!reaches).then_some(state)).collect()
    }

    fn way_to(&self, mut state: u32) -> Vec<Action> {
        let mut way = Vec::new();
        while let Some((from, action)) = &self.parents[state as usize] {
            way.push(action.clone());
            state = *from;
        }
        way.reverse();
        way
    }
}

fn tell(system: &System, way: &[Action]) {
    let mut world = system.init_states().remove(0);
    for action in way {
        say(&format!("  {}", Told(&world, action)));
        world = system.next_state(&world, action.clone()).expect("it was possible before");
    }
    for object in world.objects() {
        say(&format!("  stuck: {:?}", object.status));
    }
}

/// The prints of what can come next, without itself.
fn follows(system: &System, world: &World) -> BTreeSet<u64> {
    let mut actions = Vec::new();
    system.actions(world, &mut actions);
    let next = actions.into_iter().filter_map(|action| system.next_state(world, action));
    next.map(|next| print(&next)).filter(|next| *next != print(world)).collect()
}

/// What is taken for one state leads to the same states: prints leave out nothing that makes a difference. Every third of them is asked.
#[test]
fn states_that_are_taken_for_one_lead_to_the_same_states() {
    const MOST: usize = 4000;
    for (setup, _) in configurations::small() {
        let name = setup.name;
        let system = System::new(setup);
        let (mut known, mut ahead) = (HashMap::new(), VecDeque::from(system.init_states()));
        let (mut met, mut actions) = (0, Vec::new());
        while let Some(world) = ahead.pop_front().filter(|_| known.len() < MOST) {
            system.actions(&world, &mut actions);
            for next in actions.drain(..).filter_map(|action| system.next_state(&world, action)) {
                match known.get(&print(&next)) {
                    Some(other) => {
                        met += 1;
                        let like = met % 3 != 0 || follows(&system, &next) == follows(&system, other);
                        assert!(like, "{name}: they lead to other states:\n{next:#?}\n{other:#?}");
                    }
                    None => {
                        known.insert(print(&next), next.clone());
                        ahead.push_back(next);
                    }
                }
            }
        }
        say(&format!("taken for one: {name}: {} states, {met} met again", known.len()));
    }
}
