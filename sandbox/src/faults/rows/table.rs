//! The table of rows, and how one of them is run.

use std::path::PathBuf;

use futures::future::BoxFuture;

use super::ground::{Ground, Place, seconds};
use super::{clock, cloud, crashes, limits, objects, replicas, rough, secrets, server};
use crate::faults::check::Evidence;
use crate::faults::error::FaultsError;
use crate::faults::ran::Ran;
use crate::faults::upstream::Upstream;
use crate::faults::weather::{Distortion, Weather};
use crate::rds::Settings;
use crate::world::{World, WorldOptions};

/// A row of the matrix in `tests/faults/README.md`.
#[derive(Clone, Copy)]
pub(in crate::faults) struct Row {
    /// Its number there.
    pub number: u8,
    /// What is done.
    name: &'static str,
    /// Whether it needs a world of its own: it kills the control plane, or sets the clock.
    own: Option<fn(Settings) -> Settings>,
    run: for<'g, 'w> fn(&'g mut Ground<'w>) -> BoxFuture<'g, Result<(), FaultsError>>,
}

impl Row {
    /// Whether it is among those that stand for all.
    pub(in crate::faults) fn is_sample(&self) -> bool {
        SAMPLE.contains(&self.name)
    }

    pub(in crate::faults) fn id(&self) -> String {
        format!("row-{:02}/{}", self.number, self.name)
    }

    /// The line of the table that it counts in.
    fn group(&self) -> (String, String) {
        (format!("row {:02}", self.number), self.name.to_owned())
    }
}

/// A row in the world of all plans.
macro_rules! row {
    ($number:literal, $name:literal, |$ground:ident| $run:expr) => {
        Row { number: $number, name: $name, own: None, run: |$ground| Box::pin($run) }
    };
    ($number:literal, $name:literal, own $settings:expr, |$ground:ident| $run:expr) => {
        Row { number: $number, name: $name, own: Some($settings), run: |$ground| Box::pin($run) }
    };
}

/// The settings of all plans.
fn as_ever(settings: Settings) -> Settings {
    settings
}

/// As in the real service.
fn expiry_of_15_minutes(settings: Settings) -> Settings {
    Settings { expiry: seconds(900), ..settings }
}

/// For requests that are seconds on their way.
fn expiry_of_a_minute(settings: Settings) -> Settings {
    Settings { expiry: seconds(60), ..settings }
}

/// All of them, the longest first: they run side by side.
pub(in crate::faults) const ROWS: &[Row] = &[
    row!(9, "crash-loop-200", |ground| crashes::crash_loop(ground)),
    row!(28, "clock-off", own expiry_of_15_minutes, |ground| clock::off(ground)),
    row!(34, "10000-unrelated", own as_ever, |ground| limits::unrelated(ground)),
    row!(23, "api-server-and-etcd-killed", own as_ever, |ground| server::killed(ground)),
    row!(23, "etcd-empty", own as_ever, |ground| server::emptied(ground)),
    row!(21, "history-compacted", own as_ever, |ground| server::compacted(ground)),
    row!(32, "crd-changed-and-made-anew", own as_ever, |ground| server::crds(ground)),
    row!(25, "leader-killed-at-60-of-200", |ground| replicas::killed(ground, 60)),
    row!(25, "leader-killed-at-100-of-200", |ground| replicas::killed(ground, 100)),
    row!(25, "leader-killed-at-140-of-200", |ground| replicas::killed(ground, 140)),
    row!(25, "leader-stands-still-20-s", |ground| replicas::frozen(ground, replicas::CLEAR, seconds(20))),
    row!(25, "leader-stands-still-60-s", |ground| replicas::frozen(ground, replicas::CLEAR, seconds(60))),
    row!(25, "leader-stands-still-before-its-intent", |ground| replicas::frozen(ground, replicas::PREFLIGHT, seconds(20))),
    row!(26, "two-leaders", |ground| replicas::both(ground)),
    row!(27, "lease-refused-30-s", |ground| replicas::refused(ground)),
    row!(29, "secret-rotated", |ground| secrets::rotated(ground)),
    row!(29, "secret-emptied", |ground| secrets::broken(ground, secrets::Damage::Emptied)),
    row!(29, "secret-deleted", |ground| secrets::broken(ground, secrets::Damage::Deleted)),
    row!(29, "secret-of-junk", |ground| secrets::broken(ground, secrets::Damage::Junk)),
    row!(29, "secret-forbidden", |ground| secrets::broken(ground, secrets::Damage::Forbidden)),
    row!(30, "deleted-in-each-phase", |ground| objects::deleted(ground)),
    row!(30, "namespace-deleted", |ground| objects::namespace(ground)),
    row!(31, "spec-edited", |ground| objects::spec_edited(ground)),
    row!(31, "status-edited", |ground| objects::status_edited(ground)),
    row!(12, "delivered-twice", |ground| cloud::twice(ground)),
    row!(13, "no-answer-at-all", |ground| cloud::garbage(ground)),
    row!(14, "broken-ways", |ground| cloud::broken(ground)),
    row!(15, "refusals-that-pass", |ground| cloud::refused(ground)),
    row!(17, "set-deleted", |ground| cloud::deleted(ground)),
    row!(18, "old-lists", |ground| rough::old_lists(ground)),
    row!(19, "events-left-out", |ground| rough::weather(ground, Weather::Watches(Distortion::Without(3)))),
    row!(20, "one-write-of-three-409", |ground| rough::weather(ground, Weather::Answers { to: "kube patch", one_of: 3, status: 409 })),
    row!(21, "watches-410-every-3-s", |ground| rough::weather(ground, Weather::Watches(Distortion::Expired(seconds(3))))),
    row!(22, "one-of-five-429", |ground| rough::weather(ground, Weather::Answers { to: "kube", one_of: 5, status: 429 })),
    row!(22, "one-of-five-500", |ground| rough::weather(ground, Weather::Answers { to: "kube", one_of: 5, status: 500 })),
    row!(22, "slow-2-s", own expiry_of_a_minute, |ground| rough::weather(
        ground,
        Weather::Slow(seconds(2))
    )),
    row!(22, "silent-30-s", |ground| rough::for_a_while(ground, Weather::Silent, seconds(30))),
    row!(22, "torn-watches", |ground| rough::weather(ground, Weather::Watches(Distortion::Torn(4)))),
    row!(22, "only-bookmarks-20-s", |ground| rough::for_a_while(ground, Weather::Watches(Distortion::OnlyBookmarks), seconds(20))),
    row!(24, "watches-cut-every-5-s", |ground| rough::weather(ground, Weather::Watches(Distortion::Cut(seconds(5))))),
    row!(35, "64-mib", |ground| limits::memory(ground)),
    row!(35, "100-files", |ground| limits::files(ground)),
];

/// Of each kind one that takes half a minute: for every change of the code.
const SAMPLE: [&str; 6] =
    ["delivered-twice", "old-lists", "watches-410-every-3-s", "two-leaders", "deleted-in-each-phase", "status-edited"];

/// What a row's world is made of, if it needs one of its own.
pub(in crate::faults) struct Makings {
    pub operator: PathBuf,
    pub repository: PathBuf,
    pub settings: Settings,
}

/// Runs a row. With what was seen of it, if that is not in the shared world's logs.
pub(in crate::faults) async fn run(
    shared: &World,
    upstream: &Upstream,
    makings: &Makings,
    number: usize,
    row: Row,
) -> Result<(Ran, Option<Evidence>), FaultsError> {
    match row.own {
        None => {
            let mut ground = Ground::new(Place::Shared(shared), upstream.clone(), number, row.id(), row.group()).await?;
            (row.run)(&mut ground).await?;
            Ok((ground.ended().await?.0, None))
        }
        Some(settings) => {
            let options = WorldOptions {
                settings: settings(makings.settings.clone()),
                progress: Box::new(|_| {}),
                ..WorldOptions::new(&makings.operator, &makings.repository)
            };
            let world = World::start(options).await?;
            let upstream = Upstream::api_server(&world)?;
            let mut ground = Ground::new(Place::Own(Box::new(world)), upstream, number, row.id(), row.group()).await?;
            (row.run)(&mut ground).await?;
            let (ran, place) = ground.ended().await?;
            let Place::Own(world) = place else { return Ok((ran, None)) };
            let evidence = Evidence::of(&world)?;
            world.stop().await;
            Ok((ran, Some(evidence)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let ids: BTreeSet<String> = ROWS.iter().map(Row::id).collect();
        assert_eq!(ids.len(), ROWS.len());
        assert!(ROWS.iter().all(|row| (1..=36).contains(&row.number)));
        assert_eq!(ROWS.iter().filter(|row| row.is_sample()).count(), SAMPLE.len());
    }
}
