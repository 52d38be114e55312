//! The instances there are.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact as span;
use serde::{Deserialize, Serialize};

/// What an instance is, or all instances of a pattern are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct InstanceSpec {
    /// Its engine.
    pub engine: Engine,
    /// As in `8.0`.
    pub engine_version: String,
    /// `DBInstanceStorageType`: `local_ssd`, `cloud_essd`, ...
    pub disk: String,
    /// Its region.
    pub region: String,
    /// `DBInstanceStatus`: `Running` when it can be backed up.
    pub status: String,
    /// `LockMode`: `Unlock` when it can be backed up.
    pub lock_mode: String,
    /// `DBInstanceType`: `Primary`, `Readonly`, `Guard` or `Temp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `Basic`, `HighAvailability`, ...
    pub category: String,
    /// `DBInstanceDescription`: the name that people gave it.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its databases.
    pub databases: Vec<String>,
    /// How large a backup set is, in bytes.
    pub set_size: u64,
    /// How long its jobs run, if not as long as the settings say.
    #[serde(with = "span::optional")]
    pub job_time: Option<Duration>,
    /// Up to so much is added to a job's time, if not what the settings say.
    #[serde(with = "span::optional")]
    pub job_spread: Option<Duration>,
    /// An automated backup is running when the instance is asked for the first time, and for so long.
    #[serde(with = "span::optional")]
    pub busy_for: Option<Duration>,
    /// How many automated sets it has from the days before the endpoint started.
    pub history: u32,
    /// Its backup policy.
    pub policy: BackupPolicy,
    /// When it makes its own backups, as its policy says: the endpoint itself makes none by it.
    pub window: BackupWindow,
}

/// When the service backs an instance up by itself, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackupWindow {
    /// `PreferredBackupPeriod`: days of the week.
    pub period: String,
    /// `PreferredBackupTime`: hours of the day in UTC.
    pub time: String,
}

impl Default for BackupWindow {
    fn default() -> Self {
        Self { period: "Tuesday,Thursday,Saturday".into(), time: "15:00Z-16:00Z".into() }
    }
}

/// How long the service keeps what it backs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackupPolicy {
    /// `BackupRetentionPeriod`: days that a data backup is kept, 7 to 730.
    pub retention_days: u32,
    /// Whether the log is backed up.
    pub log_backup: bool,
    /// `LogBackupRetentionPeriod`: days that a log backup is kept, not more than those of the data.
    pub log_retention_days: u32,
    /// `ReleasedKeepPolicy`: which sets outlive the instance. Only those of local disks do.
    pub released_keep: ReleasedKeep,
}

/// Which sets of an instance are kept when it is released, as `ReleasedKeepPolicy` spells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleasedKeep {
    /// None.
    #[default]
    None,
    /// The newest one. The service spells it so.
    Lastest,
    /// All.
    All,
}

impl Default for BackupPolicy {
    /// As the service sets it up.
    fn default() -> Self {
        Self { retention_days: 7, log_backup: true, log_retention_days: 7, released_keep: ReleasedKeep::None }
    }
}

/// A database engine, as `Engine` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Engine {
    /// MySQL.
    MySQL,
    /// PostgreSQL.
    PostgreSQL,
    /// SQL Server.
    SQLServer,
    /// MariaDB.
    MariaDB,
}

impl Engine {
    /// As answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MySQL => "MySQL",
            Self::PostgreSQL => "PostgreSQL",
            Self::SQLServer => "SQLServer",
            Self::MariaDB => "MariaDB",
        }
    }
}

impl Default for InstanceSpec {
    fn default() -> Self {
        Self {
            engine: Engine::MySQL,
            engine_version: "8.0".into(),
            disk: "local_ssd".into(),
            region: "cn-hangzhou".into(),
            status: "Running".into(),
            lock_mode: "Unlock".into(),
            kind: "Primary".into(),
            category: "HighAvailability".into(),
            description: String::new(),
            tags: BTreeMap::new(),
            databases: vec!["orders".into(), "users".into()],
            set_size: 4_294_967_296,
            job_time: None,
            job_spread: None,
            busy_for: None,
            history: 0,
            policy: BackupPolicy::default(),
            window: BackupWindow::default(),
        }
    }
}

impl InstanceSpec {
    /// A running primary of that engine and disk, with the databases `orders` and `users`.
    pub fn new(engine: Engine, engine_version: &str, disk: &str) -> Self {
        Self { engine, engine_version: engine_version.into(), disk: disk.into(), ..Self::default() }
    }

    /// Whether its disk is in the host: everything else is a cloud disk, which can take snapshots.
    pub fn local_disk(&self) -> bool {
        matches!(self.disk.as_str(), "local_ssd" | "ephemeral_ssd")
    }
}

/// Patterns and what their instances are. An instance of a pattern exists as soon as it is asked for.
///
/// `*` stands for any characters. Where several patterns match, the one with the most other characters wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(BTreeMap<String, InstanceSpec>);

/// A file of instances that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("instances: {0}")]
pub struct CatalogueError(#[from] serde_saphyr::Error);

impl Default for Catalogue {
    /// One pattern for each kind of instance that behaves in its own way.
    fn default() -> Self {
        let mysql = InstanceSpec::default;
        Self::empty()
            .with("rm-mysql-*", mysql())
            .with("rm-mysqlcloud-*", InstanceSpec::new(Engine::MySQL, "8.0", "cloud_essd"))
            .with("pgm-*", InstanceSpec::new(Engine::PostgreSQL, "16.0", "cloud_essd"))
            .with("rm-mssql-*", InstanceSpec::new(Engine::SQLServer, "2019_ent", "cloud_essd"))
            .with("rm-maria-*", InstanceSpec::new(Engine::MariaDB, "10.3", "cloud_essd"))
            .with("rm-busy-*", InstanceSpec { busy_for: Some(Duration::from_secs(20)), ..mysql() })
            .with("rm-stopped-*", InstanceSpec { status: "Stopped".into(), ..mysql() })
            .with("rm-readonly-*", InstanceSpec { kind: "Readonly".into(), ..mysql() })
    }
}

impl Catalogue {
    /// No instances at all.
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// This catalogue and one more pattern.
    pub fn with(mut self, pattern: &str, spec: InstanceSpec) -> Self {
        self.define(pattern, spec);
        self
    }

    /// Adds a pattern, or replaces the specification of its instances.
    pub fn define(&mut self, pattern: &str, spec: InstanceSpec) {
        self.0.insert(pattern.to_owned(), spec);
    }

    /// A YAML mapping of patterns to what their instances are; every field has a default.
    pub fn from_yaml(text: &str) -> Result<Self, CatalogueError> {
        Ok(Self(serde_saphyr::from_str(text)?))
    }

    /// The patterns, in order.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What the instance is, if there is one of that name.
    pub fn find(&self, instance: &str) -> Option<&InstanceSpec> {
        let literal = |pattern: &str| pattern.chars().filter(|c| *c != '*').count();
        let matching = self.0.iter().filter(|(pattern, _)| matches(pattern, instance));
        // A pattern without stars is the instance itself: nothing is more specific.
        matching.max_by_key(|(pattern, _)| (!pattern.contains('*'), literal(pattern))).map(|(_, spec)| spec)
    }

    /// Takes over every pattern of another catalogue.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| text.get(at..).is_some_and(|tail| matches(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("rm-*", "rm-1", true),
            ("rm-*", "rm-", true),
            ("rm-*", "pgm-1", false),
            ("*-prod", "rm-prod", true),
            ("*-prod", "rm-prod-2", false),
            ("rm-*-prod-*", "rm-a-b-prod-c", true),
            ("rm-1", "rm-1", true),
            ("rm-1", "rm-12", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let of = |region: &str| InstanceSpec { region: region.into(), ..InstanceSpec::default() };
        let catalogue = Catalogue::empty().with("rm-*", of("a")).with("rm-busy-*", of("b")).with("rm-busy-1", of("c")).with("*", of("d"));
        let region = |instance| catalogue.find(instance).unwrap().region.as_str();
        assert_eq!((region("rm-x"), region("rm-busy-2"), region("rm-busy-1"), region("pgm-1")), ("a", "b", "c", "d"));
    }

    #[test]
    fn every_kind_of_the_default_catalogue_can_be_asked_for() {
        let catalogue = Catalogue::default();
        for (instance, engine, local) in [
            ("rm-mysql-1", Engine::MySQL, true),
            ("rm-mysqlcloud-1", Engine::MySQL, false),
            ("pgm-1", Engine::PostgreSQL, false),
            ("rm-mssql-1", Engine::SQLServer, false),
            ("rm-maria-1", Engine::MariaDB, false),
            ("rm-busy-1", Engine::MySQL, true),
        ] {
            let spec = catalogue.find(instance).unwrap();
            assert_eq!((spec.engine, spec.local_disk()), (engine, local), "{instance}");
        }
        assert_eq!(catalogue.find("rm-other"), None);
    }

    #[test]
    fn a_file_names_only_what_differs_from_the_default() {
        let catalogue =
            Catalogue::from_yaml("rm-a-*: { region: cn-shanghai, jobTime: 16h, type: Readonly }\npgm-1: { engine: PostgreSQL }\n").unwrap();
        let spec = catalogue.find("rm-a-1").unwrap();
        assert_eq!(
            (spec.region.as_str(), spec.job_time, spec.kind.as_str()),
            ("cn-shanghai", Some(Duration::from_secs(16 * 3600)), "Readonly")
        );
        assert_eq!(catalogue.find("pgm-1").unwrap().engine, Engine::PostgreSQL);
        assert!(Catalogue::from_yaml("rm-a: { regoin: x }").is_err());
    }
}
