//! `next`: when a schedule will run, without a cluster.

use std::{
    fmt,
    fmt::Write as _,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use jiff::Timestamp;
use kube::CustomResourceExt;
use serde::Serialize;
use serde_json::Value;

use super::{exit::Printed, output::json};
use crate::{
    api::{RdsBackupSchedule, Span},
    clock::Clock,
    rds::SETS_A_DAY,
    schedule::{
        cron::{Cron, Note, Slot, Slots, zone},
        spec::{ValidatedSpec, too_many_slots},
    },
};

/// The largest `--count`: more runs than a person reads, and few enough to compute within a moment.
const MOST: usize = 10_000;

/// The options of `next`.
#[derive(Debug, clap::Args)]
pub(super) struct NextArgs {
    /// A file with RdsBackupSchedules, also in Lists, or `-` for standard input; objects of other kinds in it are ignored.
    #[arg(short = 'f', long = "filename", value_name = "FILE", conflicts_with_all = ["schedule", "time_zone"])]
    file: Option<PathBuf>,
    /// The namespace of the schedules in the file that name none: it takes part in the choice of the jitter's delay.
    #[arg(short = 'n', long = "namespace", value_name = "NAMESPACE", default_value = "default", requires = "file")]
    namespace: String,
    /// The expression: five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.
    #[arg(long, value_name = "EXPR")]
    schedule: Option<String>,
    /// The time zone, an IANA name. [default: Etc/UTC]
    #[arg(long, value_name = "TZ")]
    time_zone: Option<String>,
    /// Print slots after this instant. [default: now]
    #[arg(long, value_name = "RFC3339")]
    from: Option<String>,
    /// The number of slots, those that a blackout skips included.
    #[arg(long, value_name = "N", default_value_t = 5)]
    count: usize,
    /// The format of the output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// A slot in the JSON output.
#[derive(Serialize)]
struct Run {
    /// The namespace and the name of the schedule, where it is from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// The slot, in UTC.
    at: Timestamp,
    /// The slot in local time.
    local: String,
    /// When its backup starts: the slot plus the jitter, or the end of a blackout. None where a blackout skips it.
    start: Option<Timestamp>,
    /// How a change of the clocks, or a blackout, affects it.
    note: Option<String>,
}

/// A slot, and when it starts; none if a blackout skips it.
type Started = (Slot, Option<Timestamp>);

/// A schedule whose runs are printed.
struct Asked {
    name: Option<String>,
    heading: String,
    slots: Slots,
    /// Of one from a file.
    valid: Option<ValidatedSpec>,
    has_too_many_slots: bool,
    /// The instance's own backup window, which nobody has read here, moves its starts.
    not_during: bool,
}

impl Asked {
    /// The first slots after an instant.
    fn started(&self, from: Timestamp, count: usize) -> Vec<Started> {
        match &self.valid {
            Some(valid) => valid.starts_between(from, Timestamp::MAX).take(count).collect(),
            None => self.slots.between(from, Timestamp::MAX).take(count).map(|slot| (slot, Some(slot.at))).collect(),
        }
    }

    /// What the clocks and the blackouts do to a slot.
    fn note(&self, (slot, start): &Started) -> Option<String> {
        let nominal = self.valid.as_ref().map_or(slot.at, |valid| valid.nominal_start(slot.at));
        let blackout = match start {
            Some(start) if *start == nominal => None,
            Some(start) => Some(format!("a blackout covers its start: it starts at the end, {}", self.in_zone(*start))),
            None => {
                let end = self.valid.as_ref().and_then(|valid| valid.blackouts.end(nominal));
                let end = end.filter(|end| *end < Timestamp::MAX).map(|end| format!(" until {}", self.in_zone(end)));
                Some(format!("not run: a blackout covers its start{}", end.unwrap_or_default()))
            }
        };
        let notes: Vec<String> = slot.note.map(|note| note_text(&note)).into_iter().chain(blackout).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    fn in_zone(&self, at: Timestamp) -> String {
        at.to_zoned(self.slots.zone().clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
    }
}

/// The runs, with warnings as notes: a program that reads the runs reads only them. Or an error message.
pub(super) fn next(args: &NextArgs) -> Result<Printed, String> {
    let from = match &args.from {
        Some(text) => {
            let wrong =
                |_| format!("--from: {:?} is not a time: write it like 2027-03-27T00:00:00Z", text.chars().take(64).collect::<String>());
            text.parse().map_err(wrong)?
        }
        None => Clock::system().now(),
    };
    if args.count == 0 || args.count > MOST {
        return Err(format!("--count is 1 to {MOST}"));
    }
    let asked = match (&args.file, &args.schedule) {
        (Some(file), _) => of_file(file, &args.namespace, from)?,
        (None, Some(schedule)) => vec![of_expression(schedule, args.time_zone.as_deref().unwrap_or("Etc/UTC"), from)?],
        (None, None) => return Err("give --schedule or --filename".to_owned()),
    };
    let mut printed = Vec::new();
    for asked in &asked {
        let slots = asked.started(from, args.count);
        if slots.is_empty() {
            let name = asked.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            return Err(format!("{name}the schedule never runs: none of its days comes within nine years"));
        }
        printed.push((asked, slots));
    }
    let text = match args.output {
        Output::Text => Ok::<_, String>(printed.iter().map(|(asked, slots)| text(asked, slots)).collect::<Vec<_>>().join("\n")),
        Output::Json => json(&printed.iter().flat_map(|(asked, slots)| slots.iter().map(|slot| run(asked, slot))).collect::<Vec<Run>>()),
    }?;
    Ok(Printed { text, notes: asked.iter().flat_map(warnings).collect() })
}

/// What is to be said of a schedule beside its runs.
fn warnings(asked: &Asked) -> Vec<String> {
    let name = asked.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    let too_many = asked.has_too_many_slots.then(|| format!("warning: {name}{}", too_many_slots()));
    let not_during = asked.not_during.then(|| {
        format!(
            "note: {name}notDuring: only the operator reads the instance's own backup window: runs in it start at its end, or not at all; the schedule's status.nextRuns has them"
        )
    });
    too_many.into_iter().chain(not_during).collect()
}

fn of_expression(schedule: &str, time_zone: &str, from: Timestamp) -> Result<Asked, String> {
    let cron = Cron::parse(schedule).map_err(|error| format!("--schedule: {error}"))?;
    let zone = zone(time_zone).map_err(|error| format!("--time-zone: {error}"))?;
    let slots = Slots::new(cron, zone);
    let has_too_many_slots = slots.has_more_in_a_day(SETS_A_DAY, from);
    Ok(Asked { name: None, heading: format!("{schedule} in {time_zone}"), slots, valid: None, has_too_many_slots, not_during: false })
}

/// The RdsBackupSchedules of a file, one or more.
fn of_file(file: &Path, namespace: &str, now: Timestamp) -> Result<Vec<Asked>, String> {
    let (shown, yaml) = if file == Path::new("-") {
        let mut yaml = String::new();
        std::io::stdin().read_to_string(&mut yaml).map_err(|error| format!("standard input: {error}"))?;
        ("standard input".to_owned(), yaml)
    } else {
        let shown = file.display().to_string();
        let yaml = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
        (shown, yaml)
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).map_err(|error| one_line(&shown, &error))?;
    let asked: Vec<Asked> =
        schedules(documents).into_iter().map(|manifest| of_manifest(&shown, manifest, namespace, now)).collect::<Result<_, _>>()?;
    if asked.is_empty() {
        return Err(format!("{shown}: there is no RdsBackupSchedule in it"));
    }
    Ok(asked)
}

/// The RdsBackupSchedules among the documents, also those in a `List`, as `kubectl get -o yaml` prints several.
fn schedules(documents: Vec<Value>) -> Vec<Value> {
    let is_list = |document: &Value| document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    let mut found = Vec::new();
    for mut document in documents {
        match document.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) if is_list(&document) => found.extend(items),
            _ => found.push(document),
        }
    }
    found.retain(|object| object["kind"] == "RdsBackupSchedule");
    found
}

fn of_manifest(shown: &str, manifest: Value, namespace: &str, now: Timestamp) -> Result<Asked, String> {
    if let Some(field) = unknown_field(&manifest) {
        return Err(format!("{shown}: there is no field {field}: `kubectl explain rdsbackupschedule.spec` lists the fields"));
    }
    let schedule: RdsBackupSchedule = serde_json::from_value(manifest).map_err(|error| one_line(&shown, &error))?;
    let name = schedule.metadata.name.as_deref().unwrap_or_default();
    let namespace = schedule.metadata.namespace.as_deref().unwrap_or(namespace);
    let valid = ValidatedSpec::new(namespace, name, &schedule.spec, now).map_err(|problem| format!("{shown}: {}", problem.message))?;
    let name = format!("{namespace}/{name}");
    let mut heading = format!("{name}: {} in {}", schedule.spec.schedule, schedule.spec.time_zone);
    if !valid.jitter.is_zero() {
        let _ = write!(heading, "; each backup starts {} later (jitter)", Span::of(valid.jitter));
    }
    if schedule.spec.suspend {
        heading.push_str("; suspended: none of these will run");
    }
    let has_too_many_slots = valid.has_too_many_slots;
    let not_during = schedule.spec.not_during.is_some();
    Ok(Asked { name: Some(name), heading, slots: valid.slots.clone(), valid: Some(valid), has_too_many_slots, not_during })
}

/// The first field of the spec that the CRD does not have. If it were ignored, the runs would be printed as if a misspelt field were
/// absent.
fn unknown_field(manifest: &Value) -> Option<String> {
    fn walk(schema: &Value, value: &Value, path: &str) -> Option<String> {
        match value {
            Value::Array(items) => items.iter().find_map(|item| walk(&schema["items"], item, path)),
            Value::Object(fields) => {
                let known = schema["properties"].as_object()?;
                fields.iter().find_map(|(name, value)| match known.get(name) {
                    Some(schema) => walk(schema, value, &format!("{path}.{name}")),
                    None => Some(format!("{path}.{name}")),
                })
            }
            _ => None,
        }
    }
    let crd = serde_json::to_value(RdsBackupSchedule::crd()).ok()?;
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")?;
    walk(schema, &manifest["spec"], "spec")
}

/// The first line of an error; the other lines show an excerpt of the file.
fn one_line(file: &impl fmt::Display, error: &impl fmt::Display) -> String {
    format!("{file}: {}", error.to_string().lines().next().unwrap_or_default())
}

fn run(asked: &Asked, started: &Started) -> Run {
    let (slot, start) = started;
    let local = slot.at.to_zoned(asked.slots.zone().clone());
    Run {
        schedule: asked.name.clone(),
        at: slot.at,
        local: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        start: *start,
        note: asked.note(started),
    }
}

fn note_text(note: &Note) -> String {
    match note {
        Note::Skipped(local) => {
            format!("the clocks skip {}: it runs at the first instant after the gap", local.strftime("%Y-%m-%d %H:%M"))
        }
        Note::Omitted(local) => {
            format!("the clocks skip {} before it: there is no run in the time that does not exist", local.strftime("%Y-%m-%d %H:%M"))
        }
        Note::FirstOfTwo => "this local time comes twice: it runs the first time".to_owned(),
        Note::SecondOfTwo => "this local time comes twice: it runs both times, and this is the second".to_owned(),
    }
}

fn text(asked: &Asked, slots: &[Started]) -> String {
    let mut text = format!("{}\n", asked.heading);
    for started in slots {
        let note = asked.note(started).map(|note| format!("  {note}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}{note}", started.0.at, asked.in_zone(started.0.at));
    }
    text
}
