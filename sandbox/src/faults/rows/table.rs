//! The table of rows, and how one of them is run.

use std::path::PathBuf;

use futures::future::BoxFuture;

use super::environment::{Environment, RowWorld, seconds};
use super::{clock, cloud, control_plane, crashes, installs, limits, network, objects, replicas, scopes, secrets, tenants};
use crate::faults::check::Evidence;
use crate::faults::error::FaultsError;
use crate::faults::network_conditions::{Distortion, NetworkCondition};
use crate::faults::outcome::Outcome;
use crate::faults::upstream::Upstream;
use crate::rds::Settings;
use crate::world::{World, WorldOptions};

/// A row of the matrix in `tests/faults/README.md`.
#[derive(Clone, Copy)]
pub(in crate::faults) struct Row {
    /// Its number in the matrix.
    pub number: u8,
    /// What is done.
    name: &'static str,
    /// The settings of its own world, if it needs one because it kills the control plane or sets the clock.
    own: Option<fn(Settings) -> Settings>,
    run: for<'e, 'w> fn(&'e mut Environment<'w>) -> BoxFuture<'e, Result<(), FaultsError>>,
}

impl Row {
    /// Whether it is in the sample that runs with `--every`.
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
    ($number:literal, $name:literal, |$env:ident| $run:expr) => {
        Row { number: $number, name: $name, own: None, run: |$env| Box::pin($run) }
    };
    ($number:literal, $name:literal, own $settings:expr, |$env:ident| $run:expr) => {
        Row { number: $number, name: $name, own: Some($settings), run: |$env| Box::pin($run) }
    };
}

/// The settings of all plans.
fn unchanged(settings: Settings) -> Settings {
    settings
}

/// As in the real service.
fn expiry_of_15_minutes(settings: Settings) -> Settings {
    Settings { expiry: seconds(900), ..settings }
}

/// For requests that arrive seconds late.
fn expiry_of_a_minute(settings: Settings) -> Settings {
    Settings { expiry: seconds(60), ..settings }
}

/// All rows, the longest first: they run side by side.
pub(in crate::faults) const ROWS: &[Row] = &[
    row!(9, "crash-loop-200", |env| crashes::crash_loop(env)),
    row!(28, "clock-off", own expiry_of_15_minutes, |env| clock::off(env)),
    row!(34, "10000-unrelated", own unchanged, |env| limits::unrelated(env)),
    row!(23, "api-server-and-etcd-killed", own unchanged, |env| control_plane::killed(env)),
    row!(23, "etcd-empty", own unchanged, |env| control_plane::emptied(env)),
    row!(21, "history-compacted", own unchanged, |env| control_plane::compacted(env)),
    row!(32, "crd-changed-and-made-anew", own unchanged, |env| control_plane::crds(env)),
    row!(25, "leader-killed-at-60-of-200", |env| replicas::killed(env, 60)),
    row!(25, "leader-killed-at-100-of-200", |env| replicas::killed(env, 100)),
    row!(25, "leader-killed-at-140-of-200", |env| replicas::killed(env, 140)),
    row!(25, "leader-stands-still-20-s", |env| replicas::frozen(env, replicas::CLEAR, seconds(20))),
    row!(25, "leader-stands-still-60-s", |env| replicas::frozen(env, replicas::CLEAR, seconds(60))),
    row!(25, "leader-stands-still-before-its-intent", |env| replicas::frozen(env, replicas::PREFLIGHT, seconds(20))),
    row!(26, "two-leaders", |env| replicas::both(env)),
    row!(27, "lease-refused-30-s", |env| replicas::refused(env)),
    row!(29, "secret-rotated", |env| secrets::rotated(env)),
    row!(29, "secret-emptied", |env| secrets::broken(env, secrets::Damage::Emptied)),
    row!(29, "secret-deleted", |env| secrets::broken(env, secrets::Damage::Deleted)),
    row!(29, "secret-of-junk", |env| secrets::broken(env, secrets::Damage::Junk)),
    row!(29, "secret-forbidden", |env| secrets::broken(env, secrets::Damage::Forbidden)),
    row!(30, "deleted-in-each-phase", |env| objects::deleted(env)),
    row!(30, "namespace-deleted", |env| objects::namespace(env)),
    row!(31, "spec-edited", |env| objects::spec_edited(env)),
    row!(31, "status-edited", |env| objects::status_edited(env)),
    row!(12, "delivered-twice", |env| cloud::twice(env)),
    row!(13, "no-answer-at-all", |env| cloud::garbage(env)),
    row!(14, "broken-ways", |env| cloud::broken(env)),
    row!(15, "refusals-that-pass", |env| cloud::refused(env)),
    row!(17, "set-deleted", |env| cloud::deleted(env)),
    row!(18, "old-lists", |env| network::old_lists(env)),
    row!(19, "events-left-out", |env| network::throughout(env, NetworkCondition::Watches(Distortion::Without(3)))),
    row!(20, "one-write-of-three-409", |env| network::throughout(
        env,
        NetworkCondition::Answers { to: "kube update rdsbackup", one_of: 3, status: 409 }
    )),
    row!(21, "watches-410-every-3-s", |env| network::throughout(env, NetworkCondition::Watches(Distortion::Expired(seconds(3))))),
    row!(22, "one-of-five-429", |env| network::throughout(env, NetworkCondition::Answers { to: "kube", one_of: 5, status: 429 })),
    row!(22, "one-of-five-500", |env| network::throughout(env, NetworkCondition::Answers { to: "kube", one_of: 5, status: 500 })),
    row!(22, "slow-2-s", own expiry_of_a_minute, |env| network::throughout(
        env,
        NetworkCondition::Slow(seconds(2))
    )),
    row!(22, "silent-30-s", |env| network::for_a_while(env, NetworkCondition::Silent, seconds(30))),
    row!(22, "torn-watches", |env| network::throughout(env, NetworkCondition::Watches(Distortion::Torn(4)))),
    row!(22, "only-bookmarks-20-s", |env| network::for_a_while(env, NetworkCondition::Watches(Distortion::OnlyBookmarks), seconds(20))),
    row!(24, "watches-cut-every-5-s", |env| network::throughout(env, NetworkCondition::Watches(Distortion::Cut(seconds(5))))),
    row!(35, "64-mib", |env| limits::memory(env)),
    row!(35, "100-files", |env| limits::files(env)),
    row!(38, "restored-without-status", |env| objects::restored(env)),
    row!(40, "hung-accounts", |env| tenants::hung_accounts(env)),
    row!(41, "fat-cache", own unchanged, |env| tenants::fat_cache(env)),
    row!(42, "leader-on-a-wrong-clock", |env| clock::leader_ahead(env)),
    row!(43, "unreadable-rival", own unchanged, |env| tenants::unreadable_rival(env)),
    row!(44, "two-installs", own unchanged, |env| installs::two(env)),
    row!(45, "namespace-gone", own unchanged, |env| scopes::namespace_gone(env)),
];

/// One row of each kind that takes half a minute: they run at every change of the code.
const SAMPLE: [&str; 6] =
    ["delivered-twice", "old-lists", "watches-410-every-3-s", "two-leaders", "deleted-in-each-phase", "status-edited"];

/// The options of a world of its own, for a row that needs one.
pub(in crate::faults) struct OwnWorldOptions {
    pub operator: PathBuf,
    pub repository: PathBuf,
    pub settings: Settings,
}

/// Runs a row. Returns its evidence too if it ran in a world of its own: the shared world's evidence does not have it.
pub(in crate::faults) async fn run(
    shared: &World,
    upstream: &Upstream,
    own_world: &OwnWorldOptions,
    number: usize,
    row: Row,
) -> Result<(Outcome, Option<Evidence>), FaultsError> {
    match row.own {
        None => {
            let mut env = Environment::new(RowWorld::Shared(shared), upstream.clone(), number, row.id(), row.group()).await?;
            (row.run)(&mut env).await?;
            Ok((env.ended().await?.0, None))
        }
        Some(settings) => {
            let options = WorldOptions {
                settings: settings(own_world.settings.clone()),
                progress: Box::new(|_| {}),
                ..WorldOptions::new(&own_world.operator, &own_world.repository)
            };
            let world = World::start(options).await?;
            let upstream = Upstream::api_server(&world)?;
            let mut env = Environment::new(RowWorld::Own(Box::new(world)), upstream, number, row.id(), row.group()).await?;
            (row.run)(&mut env).await?;
            let (outcome, world) = env.ended().await?;
            let RowWorld::Own(world) = world else { return Ok((outcome, None)) };
            let evidence = Evidence::of(&world)?;
            world.stop().await;
            Ok((outcome, Some(evidence)))
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
        assert!(ROWS.iter().all(|row| (1..=45).contains(&row.number)));
        assert_eq!(ROWS.iter().filter(|row| row.is_sample()).count(), SAMPLE.len());
    }
}
