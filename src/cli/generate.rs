//! `generate`: schedules for the instances of an account, as manifests.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{
    account::AccountArgs,
    cluster::{ClusterArgs, block_on, object_name},
    documents::documents,
    exit::{Failure, Printed},
    kustomization,
};
use crate::{
    clock::Clock,
    coverage::{Plan, candidates, manifests, values},
};

/// The options of `generate`.
#[derive(Debug, clap::Args)]
pub(super) struct GenerateArgs {
    /// The account whose instances are listed, as the configuration names it.
    #[arg(long, value_name = "NAME")]
    account: String,
    #[command(flatten)]
    of_account: AccountArgs,
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
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_parser = object_name)]
    namespace: Option<String>,
    /// The format.
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
    /// Where `-o kustomize` writes its files. A file that it did not write itself is never replaced.
    #[arg(long, value_name = "DIR", required_if_eq("output", "kustomize"))]
    directory: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document for each schedule: for `kubectl apply -f -`, a Git repository, or `resources` of a kustomization.
    Yaml,
    /// A file for each schedule and a kustomization.yaml that lists them, in --directory.
    Kustomize,
    /// The specs by name, under `rdsBackupSchedules`: for a chart of your own.
    HelmValues,
}

/// The manifests, or why there are none.
pub(super) fn generate(args: GenerateArgs) -> Result<Printed, Failure> {
    let GenerateArgs { account, of_account, schedule, time_zone, jitter, namespace, output, directory, cluster } = args;
    let (access, listed) = block_on(async {
        let access = of_account.open(&account, &cluster).await.map_err(Failure::no_answer)?;
        let listed = access.instances(of_account.tags()).await.map_err(|error| Failure::no_answer(error.to_string()))?;
        Ok((access, candidates(listed)))
    })?;
    let plan = Plan {
        account: access.account().to_owned(),
        region_id: access.region_id().to_owned(),
        schedule,
        time_zone,
        jitter: Some(jitter),
        namespace,
    };
    plan.check(Clock::system().now()).map_err(Failure::usage)?;
    let mut notes: Vec<String> =
        listed.left_out.iter().map(|left_out| format!("no schedule for {}: {}", left_out.db_instance_id, left_out.why)).collect();
    if listed.instances.is_empty() {
        notes.push(format!("no instance of account {} in region {} has these tags", plan.account, plan.region_id));
    }
    let text = match (output, directory) {
        (Format::Yaml, None) => documents(&manifests(&plan, &listed.instances)),
        (Format::Kustomize, Some(directory)) => {
            let written = kustomization::write(&directory, &manifests(&plan, &listed.instances)).map_err(Failure::not_possible)?;
            notes.extend(
                written.left.iter().map(|file| format!("{file}: its schedule is not listed any more; delete the file if that is meant")),
            );
            Ok(written.summary)
        }
        (Format::HelmValues, None) => serde_saphyr::to_string(&values(&plan, &listed.instances)).map_err(|error| error.to_string()),
        (Format::Yaml | Format::HelmValues, Some(_)) => {
            return Err(Failure::usage("--directory is for -o kustomize alone: redirect the output"));
        }
        (Format::Kustomize, None) => return Err(Failure::usage("-o kustomize needs --directory")),
    };
    Ok(Printed { text: text.map_err(Failure::no_answer)?, notes })
}
