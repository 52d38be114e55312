//! Explores, and says what was found: a table, and the shortest way to what a broken variant does.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::model::{
    configurations::Expected,
    laws,
    print::minutes_since_dawn,
    process::System,
    setup::Setup,
    system::{Action, Told},
    world::World,
};

pub const HEAD: &str = "configuration                      |     states | depth |    s | laws     | bounds";
pub const VARIANTS_HEAD: &str = "broken variant, and the shortest way to what it breaks";

/// Past the capture of the test harness: a table that only a failure shows proves nothing to anybody.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What went wrong, in words; nothing if all is as expected.
pub fn explore(setup: Setup, expected: &Expected) -> Vec<String> {
    let began = Instant::now();
    let (name, bounds) = (setup.name, setup.bounds());
    let depth = setup.depth;
    let mut builder = System::new(setup).checker();
    // Only one thread finds the shortest way, and knows how deep it is.
    builder = match expected.violated {
        Some(_) => builder.finish_when(HasDiscoveries::AnyFailures),
        None if depth.is_some() => builder,
        None => builder.threads(2),
    };
    if let Some(depth) = depth {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let found = checker.discoveries();
    let violated: Vec<&str> = laws::ALWAYS.into_iter().filter(|law| found.contains_key(law)).collect();
    let seen: Vec<&str> = laws::SOMETIMES.into_iter().filter(|law| found.contains_key(law)).collect();
    let verdict = match violated.as_slice() {
        [] => "all hold".to_owned(),
        some => some
            .iter()
            .map(|law| format!("VIOLATED in {} steps: {law}", found[*law].clone().into_actions().len()))
            .collect::<Vec<_>>()
            .join("; "),
    };
    say(&format!(
        "{name:34} | {:10} | {:5} | {:4.0} | {verdict} | {bounds}",
        checker.unique_state_count(),
        checker.max_depth(),
        seconds(began.elapsed())
    ));
    let mut wrong = Vec::new();
    match expected.violated {
        None => {
            for law in &violated {
                tell(&found[*law]);
                wrong.push(format!("{name}: violated: {law}"));
            }
            for law in &expected.seen {
                if !seen.contains(law) {
                    wrong.push(format!("{name}: never seen: {law}"));
                }
            }
        }
        Some(law) if violated.contains(&law) => {}
        Some(law) => wrong.push(format!("{name}: it should violate: {law}")),
    }
    wrong
}

pub fn explore_variant(setup: Setup, name: &str) -> Vec<String> {
    let began = Instant::now();
    let bounds = setup.bounds();
    let depth = setup.depth;
    let mut builder = System::new(setup).checker().finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let found = checker.discoveries();
    let Some(law) = laws::ALWAYS.into_iter().find(|law| found.contains_key(law)) else {
        return vec![format!("the broken variant {name:?} is not caught ({bounds}, {} states)", checker.unique_state_count())];
    };
    let path = &found[law];
    say(&format!(
        "{name}: {law}: violated in {} steps ({bounds}; {} states, {:.0} s)",
        path.clone().into_actions().len(),
        checker.unique_state_count(),
        seconds(began.elapsed())
    ));
    tell(path);
    Vec::new()
}

fn tell(path: &Path<World, Action>) {
    for (number, (world, action)) in path.clone().into_vec().iter().enumerate() {
        if let Some(action) = action {
            say(&format!("  {:3}. minute {:2}: {}", number + 1, minutes_since_dawn(world.now), Told(world, action)));
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
