//! What a configuration allows to happen, and how far it is explored.

use jiff::SignedDuration;
use rds_backup_operator::{
    accounts::{AllowedRegions, Expiry, Poll, Protocol},
    backup::observation::AccountView,
};

use crate::model::{flaws::Flaw, world::TICK};

/// The service refuses a request that is older than this; its clocks may differ by `SKEW`.
pub const EXPIRY: i64 = TICK;
pub const SKEW: i64 = TICK;
/// A finished set is listed this long after the end of its job at the latest.
pub const LAG: i64 = TICK;
/// No constant of the protocol is longer: gaps in time that are longer than this are all alike.
pub const LONG: i64 = EXPIRY + SKEW + LAG + 3 * TICK;

/// A configuration.
#[derive(Clone, Debug)]
pub struct Setup {
    pub name: &'static str,
    pub objects: usize,
    pub processes: usize,
    /// Intents that a run may have.
    pub attempts: i32,
    /// Runs that an object may have.
    pub runs: i32,
    /// How many versions of an object a cache may be behind.
    pub stale: usize,
    /// Whether a process is blind for the other objects of the instance: its cache is too old to show them. Only Clear stands between them
    /// then.
    pub alone: bool,
    /// Jobs that somebody else may start, by hand and by the instance's policy.
    pub foreign: u8,
    pub automated: u8,
    /// A foreign job of another method than the one that is asked for.
    pub foreign_method: &'static str,
    /// Whether jobs do not say what began them.
    pub nameless: bool,
    /// Jobs that may fail.
    pub failures: u8,
    /// Objects that may be deleted and made again.
    pub deletions: u8,
    /// Requests may be delivered twice.
    pub duplicates: bool,
    /// Requests may be refused, by an error that proves that nothing was created.
    pub refusals: bool,
    /// Status writes may land after their client has given up.
    pub late_writes: bool,
    /// Reads of the cloud may fail.
    pub blind: bool,
    /// Reads of the cloud may be refused for their credentials; there are others, or not.
    pub refused_reads: bool,
    /// A look is three reads, and anything may happen in between.
    pub slow_looks: bool,
    /// Between a decision and its write anything may happen, the answer to every write may be lost, and words are written too.
    pub slow_writes: bool,
    /// A process may lose its lease, and leads no longer until it crashes and starts again.
    pub loses: bool,
    /// How long the service really leaves a set unlisted.
    pub lag: i64,
    /// Whether the service refuses old requests.
    pub expires: bool,
    /// `requestExpiry: Never`.
    pub never: bool,
    /// What is broken on purpose.
    pub flaw: Option<Flaw>,
    /// Explored to this depth; none is to the end.
    pub depth: Option<usize>,
}

impl Setup {
    pub const fn base(name: &'static str) -> Self {
        Self {
            name,
            objects: 1,
            processes: 2,
            attempts: 2,
            runs: 1,
            stale: 0,
            alone: false,
            foreign: 0,
            automated: 0,
            foreign_method: "Physical",
            nameless: false,
            failures: 0,
            deletions: 0,
            duplicates: true,
            refusals: true,
            late_writes: false,
            blind: false,
            refused_reads: false,
            slow_looks: false,
            slow_writes: false,
            loses: false,
            lag: LAG,
            expires: true,
            never: false,
            flaw: None,
            depth: None,
        }
    }

    /// The account of all objects. Polls are due at every minute: an object that waits longer is a process that is slow, and those are
    /// explored anyway.
    pub fn account(&self) -> AccountView {
        let seconds = SignedDuration::from_secs;
        let expiry = if self.never { Expiry::Never } else { Expiry::After(seconds(EXPIRY)) };
        let mut account = AccountView {
            connection: 0,
            key_source: "the Secret key-of-the-test in the operator's namespace".to_owned(),
            region_id: "cn-hangzhou".into(),
            regions: AllowedRegions::new(["*".into()]),
            protocol: Protocol { request_expiry: expiry, clock_skew: seconds(SKEW), listing_lag: seconds(LAG) },
            poll: Poll { first: seconds(0), min: seconds(TICK), max: seconds(TICK) },
            paused: false,
            credentials: Ok(()),
        };
        if let Some(flaw) = self.flaw {
            flaw.bend_account(&mut account);
        }
        account
    }

    /// Until nothing can come of an open intent; and, where it may be blocked while another waits for the instance, until it lets go.
    pub fn intent_limit(&self) -> i64 {
        let blocked = self.objects > 1 && (self.blind || self.never);
        EXPIRY + SKEW + if blocked { LAG + TICK } else { 0 }
    }

    /// The bounds, in words.
    pub fn bounds(&self) -> String {
        let mut words = vec![format!("{} object{}, {}A", self.objects, if self.objects == 1 { "" } else { "s" }, self.attempts)];
        if self.runs > 1 {
            words.push(format!("{} runs", self.runs));
        }
        let mut tell = |told: bool, word: &str| {
            if told {
                words.push(word.to_owned());
            }
        };
        tell(self.processes == 1, "1 process");
        tell(self.stale > 0, &format!("caches {} behind", self.stale));
        tell(self.alone, "no siblings seen");
        tell(self.foreign > 0, if self.foreign_method == "Physical" { "foreign" } else { "foreign of another method" });
        tell(self.automated > 0, "automated");
        tell(self.nameless, "jobs that do not say what began them");
        tell(self.failures > 0, "failing");
        tell(self.deletions > 0, "re-creation");
        tell(self.duplicates, "copies");
        tell(self.refusals, "refusals");
        tell(self.late_writes, "late writes");
        tell(self.blind, "blind reads");
        tell(self.refused_reads, "refused reads");
        tell(self.slow_looks, "slow looks");
        tell(self.slow_writes, "slow writes");
        tell(self.loses, "lost leases");
        tell(self.lag > LAG, "lag + 1");
        tell(!self.expires, "no expiry");
        tell(self.never, "Never");
        if let Some(depth) = self.depth {
            words.push(format!("depth <= {depth}"));
        }
        words.join(", ")
    }
}
