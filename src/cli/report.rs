//! `report`: what is backed up, how old it is, and whether that is young enough.

use super::{
    account::AccountArgs,
    cluster::{self, ClusterArgs},
    coverage,
    output::Output,
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
    /// The namespace. [default: that of the kubeconfig's context]
    #[arg(short = 'n', long, value_name = "NAMESPACE", conflicts_with = "all_namespaces", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    namespace: Option<String>,
    /// All namespaces. This needs rights over the whole cluster.
    #[arg(short = 'A', long)]
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
    cluster: ClusterArgs,
}

/// What is printed.
pub(super) struct Printed {
    /// The report, for stdout.
    pub text: String,
    /// Which objectives are missed, for stderr; none where all are met.
    pub missed: Option<String>,
}

/// The report, or why the cluster could not be asked.
pub(super) fn report(args: ReportArgs) -> Result<Printed, String> {
    let ReportArgs { namespace, all_namespaces, output, count_suspended, account, of_account, cluster } = args;
    let source = cluster.source(namespace, all_namespaces);
    if let Some(account) = account {
        let found = cluster::block_on(coverage::coverage(&account, &of_account, &cluster, &source, count_suspended))??;
        let missed = (!found.is_met(count_suspended)).then(|| found.sum());
        return Ok(Printed { text: coverage::written(&found, output)?, missed });
    }
    let read = cluster::block_on(read(&source))?;
    let (namespace, objects) = read.map_err(|error| error.to_string())?;
    let report = assess(&objects, namespace, count_suspended, Clock::system().now());
    let text = match output {
        Output::Table if report.rows.is_empty() && report.unreadable.is_empty() => nothing(report.namespace.as_deref()),
        Output::Table => table(&report),
        Output::Json => serde_json::to_string_pretty(&report).map(|json| json + "\n").map_err(|error| error.to_string())?,
        Output::Csv => csv(&report.rows).map_err(|error| error.to_string())?,
    };
    Ok(Printed { text, missed: (!report.is_met()).then(|| missed(&report, count_suspended)) })
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
