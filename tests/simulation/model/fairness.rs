//! Two intents that meet withdraw both. That this ends is a matter of chance: the pauses are random.

use std::sync::atomic::Ordering;

use crate::model::{table::say, traces::Story};

/// A small generator: the same numbers in every run.
struct Randomness(u64);

impl Randomness {
    fn pause(&mut self) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1000 + i64::try_from((self.0 >> 33) % 4001).expect("small")
    }
}

/// The worst that can be: whenever both may go, both go in step, and neither sees the other but by Clear.
#[test]
fn two_intents_that_meet_again_and_again_do_not_meet_for_ever() {
    let (seeds, mut rounds, mut worst) = (500, 0, 0);
    for seed in 0..seeds {
        let mut random = Randomness(seed);
        let mut story = Story::of(|setup| (setup.objects, setup.alone, setup.attempts) = (2, true, i32::MAX));
        let mut met = 0;
        while story.world.cloud.wire.is_empty() {
            for slot in [0, 1] {
                story.system.pause.store(random.pause(), Ordering::Relaxed);
                advance(&mut story, slot);
            }
            let resting = story.world.processes.iter().all(|process| process.pass.is_none());
            if resting {
                met += i32::from((0..2).all(|slot| story.status(slot).submission.is_some()));
                story.world.now += 1;
            }
            assert!(met < 100, "seed {seed}: they meet for ever");
        }
        rounds += met;
        worst = worst.max(met);
    }
    say(&format!("two intents that meet: {seeds} seeds, {:.1} seconds of pauses on average, {worst} at worst", f64::from(rounds) / 500.0));
}

/// One request of the process that works on the object; a pass begins where none is under way.
fn advance(story: &mut Story, slot: usize) {
    use crate::model::{process::Ending, system::Action};
    use stateright::Model;
    let action = match story.world.processes[slot].pass {
        None => Action::Wake { process: slot, slot, ending: Ending::Fine },
        Some(_) => Action::GoOn { process: slot, ending: Ending::Fine },
    };
    if let Some(next) = story.system.next_state(&story.world, action) {
        story.world = next;
    }
}
