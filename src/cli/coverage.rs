//! `report --account`: the instances of an account beside the schedules of the cluster.

use super::{
    account::AccountArgs,
    cluster::{ClusterArgs, PlaceArgs},
    output::{Output, json},
};
use crate::{
    clock::Clock,
    coverage::{Candidates, Coverage, Scope, candidates, compare, csv, table},
    report::{assess, read},
};

/// Asks the cloud and the cluster, and puts the two beside each other. What either of them refuses is told together: rights are asked for
/// once.
pub(super) async fn coverage(
    account: &str,
    args: &AccountArgs,
    place: &PlaceArgs,
    all_namespaces: bool,
    counts_suspended: bool,
) -> Result<Coverage, String> {
    let at = place.place();
    let (listed, read) = tokio::join!(list(account, args, &place.cluster), read(&at, all_namespaces));
    let ((scope, listed), (namespace, objects)) = match (listed, read) {
        (Ok(listed), Ok(read)) => (listed, read),
        (Err(cloud), Err(cluster)) => return Err(format!("{cloud}\n{cluster}")),
        (Err(cloud), Ok(_)) => return Err(cloud),
        (Ok(_), Err(cluster)) => return Err(cluster.to_string()),
    };
    let report = assess(&objects, namespace, counts_suspended, Clock::system().now());
    Ok(compare(scope, listed, report))
}

async fn list(account: &str, args: &AccountArgs, cluster: &ClusterArgs) -> Result<(Scope, Candidates), String> {
    let access = args.open(account, cluster).await?;
    let listed = access.instances(args.tags()).await.map_err(|error| error.to_string())?;
    let scope = Scope { account: access.account().to_owned(), region_id: access.region_id().to_owned(), tags: args.tags().to_vec() };
    Ok((scope, candidates(listed)))
}

/// As the format has it.
pub(super) fn written(coverage: &Coverage, output: Output) -> Result<String, String> {
    match output {
        Output::Table => Ok(table(coverage)),
        Output::Json => json(coverage),
        Output::Csv => csv(coverage).map_err(|error| error.to_string()),
    }
}
