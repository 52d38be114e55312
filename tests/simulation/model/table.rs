//! Explores, and says what was found: a table, and a short way to what a broken variant does.

use std::{io::Write, time::Instant};

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

pub const HEAD: &str = "configuration                       |     states | depth |    s | laws     | bounds";

/// Past the capture of the test harness: a table that only a failure shows proves nothing to anybody.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What went wrong, in words; nothing if all is as expected.
pub fn explore(setup: Setup, expected: &Expected) -> Vec<String> {
    let began = Instant::now();
    let (name, bounds, depth, broken) = (setup.name, setup.bounds(), setup.depth, setup.flaw.is_some());
    let mut builder = System::new(setup).checker();
    // Only one thread finds a short way, and knows how deep it is. Of the ways that it finds at about the same time it tells the last.
    builder = match expected.violated {
        Some(law) => builder.finish_when(HasDiscoveries::AnyOf([law].into())),
        None if depth.is_some() => builder,
        None => builder.threads(2),
    };
    if let Some(depth) = depth {
        builder = builder.target_max_depth(depth);
    }
    let checker = builder.spawn_bfs().join();
    let found = checker.discoveries();
    let (states, depth, seconds) = (checker.unique_state_count(), checker.max_depth(), began.elapsed().as_secs_f64());
    let violated: Vec<&str> = laws::ALWAYS.into_iter().filter(|law| found.contains_key(law)).collect();
    let told = |law: &&str| format!("VIOLATED in {} steps: {law}", found[*law].clone().into_actions().len());
    let verdict = if violated.is_empty() { "all hold".to_owned() } else { violated.iter().map(told).collect::<Vec<_>>().join("; ") };
    say(&format!("{name:35} | {states:10} | {depth:5} | {seconds:4.0} | {verdict} | {bounds}"));
    let to_tell = violated.iter().filter(|law| expected.violated.is_none() || broken && expected.violated == Some(**law));
    to_tell.for_each(|law| tell(&found[*law]));
    let mut wrong: Vec<String> = Vec::new();
    match expected.violated {
        None => wrong.extend(violated.iter().map(|law| format!("{name}: violated: {law}"))),
        Some(law) if violated.contains(&law) => {}
        Some(law) => wrong.push(format!("{name}: it should violate: {law}")),
    }
    let missed = expected.seen.iter().filter(|law| !found.contains_key(*law));
    wrong.extend(missed.map(|law| format!("{name}: never seen: {law}")));
    wrong
}

fn tell(path: &Path<World, Action>) {
    for (number, (world, action)) in path.clone().into_vec().iter().enumerate() {
        if let Some(action) = action {
            say(&format!("  {:3}. minute {:2}: {}", number + 1, minutes_since_dawn(world.now), Told(world, action)));
        }
    }
}
