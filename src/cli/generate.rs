//! `generate`: schedules for the instances of an account, as manifests.

use clap::ValueEnum;

use super::{
    account::AccountArgs,
    cluster::{self, ClusterArgs},
    documents::documents,
    exit::NO_ANSWER,
};
use crate::{
    clock::Clock,
    coverage::{Plan, candidates, manifests, values},
};

/// The options of `generate`.
#[derive(Debug, clap::Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// When backups are made, as `spec.schedule` has it, for example "0 2 * * *".
    #[arg(long, value_name = "CRON")]
    schedule: String,
    /// The time zone, as `spec.timeZone` has it. [default: Etc/UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// `spec.jitter`: it spreads the schedules, so that they do not all start in the same minute. At most half the gap between two runs;
    /// `0s` for none.
    #[arg(long, value_name = "LENGTH", default_value = "30m")]
    jitter: String,
    /// The namespace to write into the manifests. [default: none]
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    namespace: Option<String>,
    /// The format.
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document for each schedule: for `kubectl apply -f -`, a Git repository, or `resources` of a kustomization.
    Yaml,
    /// The specs by name, under `rdsBackupSchedules`: for a chart of your own.
    HelmValues,
}

/// What is printed.
pub(super) struct Printed {
    /// The manifests, for stdout.
    pub text: String,
    /// What a person should know, for stderr.
    pub notes: Vec<String>,
}

/// The manifests, or the exit code and why there are none.
pub(super) fn generate(args: GenerateArgs) -> Result<Printed, (u8, String)> {
    let GenerateArgs { account, schedule, time_zone, jitter, namespace, output, cluster } = args;
    let failed = |error| (NO_ANSWER, error);
    let (access, listed) = cluster::block_on(async {
        let access = account.open(&cluster).await?;
        let listed = access.instances(account.tags()).await.map_err(|error| error.to_string())?;
        Ok((access, candidates(listed)))
    })
    .map_err(failed)?
    .map_err(failed)?;
    let plan = Plan {
        account: access.account().to_owned(),
        region_id: access.region_id().to_owned(),
        schedule,
        time_zone,
        jitter: Some(jitter),
        namespace,
    };
    plan.check(Clock::system().now()).map_err(|error| (2, error))?;
    let mut notes: Vec<String> =
        listed.left_out.iter().map(|left_out| format!("no schedule for {}: {}", left_out.db_instance_id, left_out.why)).collect();
    if listed.instances.is_empty() {
        notes.push(format!("no instance of account {} in region {} has these tags", plan.account, plan.region_id));
    }
    let text = match output {
        Format::Yaml => documents(&manifests(&plan, &listed.instances)),
        Format::HelmValues => serde_saphyr::to_string(&values(&plan, &listed.instances)).map_err(|error| error.to_string()),
    };
    Ok(Printed { text: text.map_err(failed)?, notes })
}
