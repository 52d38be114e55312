//! `orphans`: manual backup sets that no RdsBackup names, and the manifests that take them in.

use clap::ValueEnum;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{
    account::AccountArgs,
    cluster::{ClusterArgs, block_on, object_name},
    documents::documents,
    exit::{Failure, Printed},
    output::json,
};
use crate::{
    accounts::ReadOnlyAccess,
    coverage::{Claims, InstanceSets, Orphans, candidates, orphan_table, orphans, take_in},
    kubectl::connect,
    rds::{InstanceId, ModeFilter, SetQuery, StatusFilter},
};

/// So many instances are asked at a time. The account's limits decide the pace; this only fills the time that an answer takes.
const AT_A_TIME: usize = 4;

/// The options of `orphans`.
#[derive(Debug, clap::Args)]
pub(super) struct OrphansArgs {
    /// The account whose sets are listed, as the configuration names it.
    #[arg(long, value_name = "NAME")]
    account: String,
    #[command(flatten)]
    of_account: AccountArgs,
    /// Only this instance; may be given more than once. Then no instances are listed.
    #[arg(long = "instance", value_name = "ID", conflicts_with = "tags", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    instances: Vec<String>,
    /// The namespace to write into the manifests. The RdsBackups of all namespaces are read, whatever it is. [default: none]
    #[arg(short = 'n', long, value_name = "NAMESPACE", value_parser = object_name)]
    namespace: Option<String>,
    /// The format.
    #[arg(short = 'o', long, value_name = "FORMAT", default_value = "text")]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table.
    Text,
    /// For programs, with times in UTC and sizes in bytes.
    Json,
    /// An RdsBackup with `existingBackupId` for each set that can be taken in, for `kubectl apply -f -`.
    Manifests,
}

/// The sets, or why they cannot be told.
pub(super) fn run(args: OrphansArgs) -> Result<Printed, Failure> {
    let OrphansArgs { account, of_account, instances, namespace, output, cluster } = args;
    let found = block_on(async { find(&account, &of_account, &instances, &cluster).await.map_err(Failure::no_answer) })?;
    let left_out = found
        .sets
        .iter()
        .filter_map(|set| Some(format!("no manifest for set {} of {}: {}", set.backup_id, set.db_instance_id, set.no_manifest.as_ref()?)));
    let (text, notes) = match output {
        Format::Text => (Ok(orphan_table(&found)), Vec::new()),
        Format::Json => (json(&found), Vec::new()),
        // The notes say what the manifests leave out.
        Format::Manifests => (documents(&take_in(&found, namespace.as_deref())), std::iter::once(found.sum()).chain(left_out).collect()),
    };
    Ok(Printed { text: text.map_err(Failure::no_answer)?, notes })
}

/// The sets are listed first: an RdsBackup that comes meanwhile is seen, and its set is not offered a second time.
async fn find(account: &str, args: &AccountArgs, instances: &[String], cluster: &ClusterArgs) -> Result<Orphans, String> {
    let place = cluster.place(None);
    let (listed, reachable) = tokio::join!(list(account, args, instances, cluster), connect(&place));
    let (access, listed, reachable) = match (listed, reachable) {
        (Ok((access, listed)), Ok(reachable)) => (access, listed, reachable),
        (Err(cloud), Err(cluster)) => return Err(format!("{cloud}\n{cluster}")),
        (Err(cloud), Ok(_)) => return Err(cloud),
        (Ok(_), Err(cluster)) => return Err(cluster.to_string()),
    };
    let objects = reachable.raw_backups().await.map_err(|error| error.to_string())?;
    Ok(orphans(access.account(), access.region_id(), &listed, &Claims::of(&objects)))
}

async fn list(
    account: &str,
    args: &AccountArgs,
    instances: &[String],
    cluster: &ClusterArgs,
) -> Result<(ReadOnlyAccess, Vec<InstanceSets>), String> {
    let access = args.open(account, cluster).await?;
    let wanted: Vec<(InstanceId, String)> = if instances.is_empty() {
        let listed = access.instances(args.tags()).await.map_err(|error| error.to_string())?;
        let region = |region: Option<String>| region.unwrap_or_else(|| access.region_id().to_owned());
        candidates(listed).instances.into_iter().map(|listed| (listed.instance.id, region(listed.instance.region_id))).collect()
    } else {
        instances.iter().map(|id| (InstanceId::new(id.as_str()), access.region_id().to_owned())).collect()
    };
    let of_one = async |(instance, region_id): (InstanceId, String)| {
        let query = SetQuery { mode: Some(ModeFilter::Manual), status: Some(StatusFilter::Success), ..SetQuery::of(instance.clone()) };
        let sets = access.sets(&query).await.map_err(|error| format!("{instance}: {error}"))?.sets;
        Ok::<_, String>(InstanceSets { instance, region_id, sets })
    };
    let listed = stream::iter(wanted).map(of_one).buffered(AT_A_TIME).try_collect().await?;
    Ok((access, listed))
}
