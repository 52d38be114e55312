//! The regions that serve RDS, and the hosts that serve them: `regions.tsv`, from the API's metadata of December 2025 and, for regions that
//! it does not name, from the official SDK's map. A central host serves most regions of the mainland; the others have their own.

use std::sync::LazyLock;

/// Which network a host is reached through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The internet.
    #[default]
    Public,
    /// The region's own network, without a way to the internet.
    Vpc,
}

/// A region of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// `cn-hangzhou`
    pub id: &'static str,
    public_host: &'static str,
    vpc_host: &'static str,
    /// Whether anybody can have instances there: not a closed region, nor one of the provider's own.
    pub is_open: bool,
}

impl Region {
    pub fn host(&self, network: Network) -> &'static str {
        match network {
            Network::Public => self.public_host,
            Network::Vpc => self.vpc_host,
        }
    }
}

/// How many names an error offers.
const OFFERED: usize = 3;

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| include_str!("../rds/regions.tsv").lines().skip(1).filter_map(row).collect());

/// `None` also for the last row, which is the rule for every other region: see [`by_rule`].
fn row(line: &'static str) -> Option<Region> {
    let mut columns = line.split('\t');
    let (id, public_host, vpc_host, _place) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let kind = columns.next()?;
    (kind != "rule").then_some(Region { id, public_host, vpc_host, is_open: kind == "public" })
}

/// The region of that name.
pub(crate) fn find(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

/// The open regions whose names differ least, the likeliest first.
pub(crate) fn nearest(id: &str) -> String {
    let mut open: Vec<_> =
        REGIONS.iter().filter(|region| region.is_open).map(|region| (strsim::osa_distance(id, region.id), region.id)).collect();
    open.sort_unstable();
    open.into_iter().take(OFFERED).map(|(_, id)| id).collect::<Vec<_>>().join(", ")
}

/// The host that a region has which is newer than the table.
pub(crate) fn by_rule(id: &str, network: Network) -> String {
    match network {
        Network::Public => format!("rds.{id}.aliyuncs.com"),
        Network::Vpc => format!("rds-vpc.{id}.aliyuncs.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regions with their suggested public host and their VPC host, as collected from the SDKs and the API's metadata.
    const COLLECTED: &str = include_str!("../../tests/fixtures/endpoints.tsv");

    #[test]
    fn every_region_has_its_hosts() {
        let rows: Vec<_> = COLLECTED.lines().skip(1).collect();
        assert_eq!(rows.len(), 61);
        for row in rows {
            let [id, public, vpc] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            match find(id) {
                Some(region) => {
                    assert_eq!((region.host(Network::Public), region.host(Network::Vpc)), (public, vpc), "{id}");
                    let asked = super::super::endpoint::Endpoint::for_region(id, Network::Vpc).map(|endpoint| endpoint.to_string());
                    assert_eq!(asked, Ok(format!("https://{vpc}")), "as an account or an object names it");
                }
                None => {
                    let like = |network| by_rule("{region}", network);
                    assert_eq!((id, public, vpc), ("*", &*like(Network::Public), &*like(Network::Vpc)));
                }
            }
        }
        assert_eq!(REGIONS.len(), 60);
        assert_eq!(REGIONS.iter().filter(|region| region.is_open).count(), 27);
    }

    #[test]
    fn the_nearest_names_are_offered() {
        for (wrong, offered) in [
            ("cn-hangzou", "cn-hangzhou, cn-guangzhou, cn-chengdu"),
            ("ap-southeast-7", "ap-southeast-1, ap-southeast-3, ap-southeast-5"),
            ("eu-centrall-1", "eu-central-1"),
            ("cn-hangzhou-internal", "cn-hangzhou-finance"),
        ] {
            assert!(nearest(wrong).starts_with(offered), "{wrong}: {}", nearest(wrong));
        }
    }
}
