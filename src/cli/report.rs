//! `report`: what is backed up, how old it is, and whether that is young enough.

use super::{
    account::AccountArgs,
    cluster::{PlaceArgs, block_on},
    coverage,
    exit::Failure,
    output::{Output, json},
};
use crate::{
    clock::Clock,
    report::{Objective, Report, Row, assess, csv, read, table},
};

/// So many missed objectives are named on standard error.
const MOST_NAMED: usize = 5;

/// The options of `report`.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// All namespaces. This needs rights over the whole cluster.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// The format: JSON and CSV for programs, with times in UTC, lengths of time in seconds and sizes in bytes.
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Count the objectives of suspended schedules too. Without it they are shown, and never missed.
    #[arg(long)]
    count_suspended: bool,
    /// Show the instances of this account of the configuration, and which of them are not backed up.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    #[command(flatten)]
    of_account: AccountArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// The report.
pub(super) struct Reported {
    /// For stdout.
    pub text: String,
    /// Which objectives are missed, for stderr; none where all are met.
    pub missed: Option<String>,
}

/// The report, or why the cluster could not be asked.
pub(super) fn report(args: ReportArgs) -> Result<Reported, Failure> {
    let ReportArgs { all_namespaces, output, count_suspended, account, of_account, place } = args;
    if let Some(account) = account {
        let coverage = coverage::coverage(&account, &of_account, &place, all_namespaces, count_suspended);
        let found = block_on(async { coverage.await.map_err(Failure::no_answer) })?;
        let missed = (!found.is_met(count_suspended)).then(|| found.sum());
        return Ok(Reported { text: coverage::written(&found, output).map_err(Failure::no_answer)?, missed });
    }
    let (namespace, objects) = block_on(async { Ok(read(&place.place(), all_namespaces).await?) })?;
    let report = assess(&objects, namespace, count_suspended, Clock::system().now());
    let text = match output {
        Output::Table if report.rows.is_empty() && report.unreadable.is_empty() => Ok(nothing(report.namespace.as_deref())),
        Output::Table => Ok(table(&report)),
        Output::Json => json(&report),
        Output::Csv => csv(&report.rows).map_err(|error| error.to_string()),
    };
    Ok(Reported { text: text.map_err(Failure::no_answer)?, missed: (!report.is_met()).then(|| missed(&report, count_suspended)) })
}

fn nothing(namespace: Option<&str>) -> String {
    let place = namespace.map_or_else(|| "any namespace".to_owned(), |namespace| format!("namespace {namespace}"));
    format!("there are no schedules and no backups in {place}\n")
}

/// One line: how many objectives are missed, and the first of them.
fn missed(report: &Report, count_suspended: bool) -> String {
    let counts = |row: &&Row| matches!(row.objective, Objective::Missed | Objective::Unknown) && (count_suspended || !row.is_suspended());
    let rows: Vec<&Row> = report.rows.iter().filter(counts).collect();
    let name = |row: &&Row| {
        let unknown = if row.objective == Objective::Unknown { " (unknown)" } else { "" };
        format!("{}/{}{unknown}", row.namespace, row.schedule.as_deref().unwrap_or_default())
    };
    let named: Vec<String> = rows.iter().take(MOST_NAMED).map(name).collect();
    let more = rows.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let counts = report.objectives;
    let of = counts.met + counts.missed + counts.pending + counts.unknown;
    format!("{} of {of} objectives not met: {}{more}", rows.len(), named.join(", "))
}
