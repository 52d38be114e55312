//! The state of every sample, and whether it is the expected one. Does no I/O: what is shown and judged follows from what was observed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::observation::Observation;
use super::samples::{Expected, Sample};

/// All samples and what is known of each.
#[derive(Debug, Clone)]
pub struct Board {
    rows: Vec<Row>,
}

/// One sample.
#[derive(Debug, Clone)]
struct Row {
    sample: Sample,
    refused: Option<String>,
    seen: Option<Observation>,
}

/// The state of the whole demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some samples have not ended: `namespace/name` and the state of each.
    Open(Vec<String>),
    /// Every sample has ended, and these did not end as expected.
    Ended {
        /// What is wrong; nothing, if all is well.
        wrong: Vec<String>,
    },
}

impl Board {
    /// A board on which nothing has happened.
    pub fn new(samples: &[Sample]) -> Self {
        Self { rows: samples.iter().map(|sample| Row { sample: sample.clone(), refused: None, seen: None }).collect() }
    }

    /// The API server refused the sample.
    pub fn refused(&mut self, name: &str, message: &str) {
        if let Some(row) = self.row(name) {
            row.refused = Some(message.to_owned());
        }
    }

    /// An object was seen. Returns it if it is a sample's and its phase or reason are new.
    pub fn update(&mut self, seen: Observation) -> Option<&Observation> {
        let row = self.row(&seen.name)?;
        let news = row.seen.as_ref().is_none_or(|before| (&before.phase, &before.reason) != (&seen.phase, &seen.reason));
        let seen = row.seen.insert(seen);
        // Before the operator has seen it there is nothing to show: the phase Pending is a default of the CRD.
        (news && !seen.reason.is_empty()).then_some(seen)
    }

    fn row(&mut self, name: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.sample.name == name)
    }

    /// The state of the demo.
    pub fn verdict(&self) -> Verdict {
        let open: Vec<String> = self.rows.iter().filter(|row| row.end().is_none()).map(Row::state).collect();
        if !open.is_empty() {
            return Verdict::Open(open);
        }
        let wrong = self.rows.iter().filter(|row| row.end() != Some(row.sample.expected));
        Verdict::Ended { wrong: wrong.map(|row| format!("{}; expected {}", row.state(), row.sample.expected)).collect() }
    }

    /// The objects that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Observation> {
        self.seen().filter(|seen| seen.end() == Some(Expected::Failed))
    }

    /// The jobs that the objects name.
    pub fn jobs(&self) -> BTreeSet<&str> {
        self.seen().map(|seen| seen.job_id.as_str()).filter(|job| !job.is_empty()).collect()
    }

    /// What is wrong between the objects and the jobs that the endpoint accepted; nothing, if each object has one job and each job one
    /// object.
    pub fn against_ledger(&self, accepted: &[&str]) -> Vec<String> {
        let jobs = self.jobs();
        let unclaimed =
            accepted.iter().filter(|job| !jobs.contains(**job)).map(|job| format!("the accepted job {job} belongs to no object"));
        let wrong = self.seen().filter(|seen| seen.end() == Some(Expected::Succeeded) || !seen.job_id.is_empty()).filter_map(|seen| {
            let Observation { name, job_id, .. } = seen;
            let shared = self.seen().filter(|other| !job_id.is_empty() && other.job_id == *job_id).count() > 1;
            match accepted.iter().filter(|job| *job == job_id).count() {
                _ if job_id.is_empty() => Some(format!("{name} names no job")),
                _ if shared => Some(format!("{name} shares job {job_id} with another object")),
                0 => Some(format!("{name} names job {job_id}, which was never accepted")),
                _ => None,
            }
        });
        unclaimed.chain(wrong).collect()
    }

    fn seen(&self) -> impl Iterator<Item = &Observation> {
        self.rows.iter().filter_map(|row| row.seen.as_ref())
    }

    /// The last line: how many ended how, and whether the ledger agrees.
    pub fn summary(&self, ledger_agrees: bool) -> String {
        let count = |end: Expected, expected: bool| {
            let ended = self.rows.iter().filter(|row| row.end() == Some(end));
            ended.filter(|row| (row.sample.expected == end) == expected).count()
        };
        let refused = count(Expected::Refused, true) + count(Expected::Refused, false);
        let mut parts = vec![format!("{} backups", self.rows.len() - refused), format!("{} Succeeded", count(Expected::Succeeded, true))];
        for (number, label) in [
            (count(Expected::Failed, true), "Failed as expected"),
            (count(Expected::Refused, true), "manifests refused as expected"),
            (count(Expected::Succeeded, false), "Succeeded unexpectedly"),
            (count(Expected::Failed, false), "Failed unexpectedly"),
            (count(Expected::Refused, false), "manifests refused unexpectedly"),
            (self.rows.iter().filter(|row| row.end().is_none()).count(), "not at their end"),
        ] {
            if number > 0 {
                let label = if number == 1 { label.replace("manifests", "manifest").replace("their", "its") } else { label.to_owned() };
                parts.push(format!("{number} {label}"));
            }
        }
        if !ledger_agrees {
            parts.push("the ledger disagrees".to_owned());
        }
        format!("demo: {}", parts.join(", "))
    }

    /// A table of all that were not refused, each line at most `width` characters.
    pub fn table(&self, elapsed: Duration, width: usize) -> Vec<String> {
        let rows = self.rows.iter().filter(|row| row.refused.is_none());
        let name_width = rows.clone().map(|row| row.sample.name.chars().count()).max().unwrap_or(0).max(4);
        let head =
            format!("{:<name_width$}  {:<10}  {:<18}  {}", "NAME", "PHASE", "REASON", format_args!("{:.0} s", elapsed.as_secs_f64()));
        let lines = rows.map(|row| {
            let seen = row.seen.clone().unwrap_or_default();
            format!("{:<name_width$}  {:<10}  {:<18}  {}", row.sample.name, or_dash(&seen.phase), or_dash(&seen.reason), seen.detail())
        });
        std::iter::once(head).chain(lines).map(|line| clip(line.trim_end(), width)).collect()
    }
}

impl Row {
    fn end(&self) -> Option<Expected> {
        match &self.refused {
            Some(_) => Some(Expected::Refused),
            None => self.seen.as_ref().and_then(Observation::end),
        }
    }

    fn state(&self) -> String {
        let name = &self.sample.name;
        match (&self.refused, &self.seen) {
            (Some(message), _) => format!("{name} was refused: {message}"),
            (None, None) => format!("{name} was not seen"),
            (None, Some(seen)) if seen.reason.is_empty() => format!("{name} was not looked at by the operator"),
            (None, Some(seen)) => format!("{name} is {} ({}): {}", seen.phase, or_dash(&seen.reason), seen.message),
        }
    }
}

/// One change as one line: `  12.3s  team-a/mysql-physical  Running  Running  job 4711`.
pub fn change_line(elapsed: Duration, seen: &Observation) -> String {
    let Observation { name, phase, reason, .. } = seen;
    let line = format!("{:>6.1}s  {name:<36}  {:<10}  {:<18}  {}", elapsed.as_secs_f64(), or_dash(phase), or_dash(reason), seen.detail());
    line.trim_end().to_owned()
}

/// kubectl's message of a refusal, without the name of the object, which is printed beside it.
pub fn refusal(stderr: &str) -> String {
    let message = stderr.split_once("is invalid: ").map_or(stderr, |(_, message)| message);
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// At most so many characters: a line that wraps is two, and the cursor would go up one too few.
fn clip(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
