//! Which host serves which region. The table is the product's.

use super::endpoint::{Endpoint, EndpointError};

/// Which network a host is reached through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The internet.
    #[default]
    Public,
    /// The region's own network, which has no route to the internet.
    Vpc,
}

/// A region of a product's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// For example `cn-hangzhou`.
    pub id: &'static str,
    /// Its host on the internet.
    pub public_host: &'static str,
    /// Its host in the region's own network.
    pub vpc_host: &'static str,
    /// Whether every customer can have instances there: not a closed region, nor one of the provider's own.
    pub is_open: bool,
}

/// The hosts of one product.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// The regions that are known.
    pub regions: Vec<Region>,
    /// The public host of a region that is newer than the table, with `{region}` in it.
    pub public_rule: &'static str,
    /// The VPC host of a region that is newer than the table, with `{region}` in it.
    pub vpc_rule: &'static str,
}

/// Why a text does not lead to the host of a region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// It does not look like a region.
    #[error("{0:?} is not a region: it looks like cn-hangzhou or ap-southeast-1")]
    NotARegion(String),
    /// No region of the table has this name.
    #[error(
        "{region:?} is not a region that this release knows; the nearest are {nearest}. If it is newer, an administrator can set the account's \
         endpoint: https://{host}, and with it protocol.requestExpiry: 15m, which is Never unless it is set beside an endpoint: after a lost answer \
         nothing more would be sent"
    )]
    Unknown {
        /// The name.
        region: String,
        /// Names that differ little.
        nearest: String,
        /// Where the region would be, by the rule for hosts.
        host: String,
    },
    /// An address is not an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// How many names an error offers.
const OFFERED: usize = 3;

impl Hosts {
    /// Where a region is served.
    ///
    /// # Errors
    /// The text is not a region, or the table does not have it.
    pub fn endpoint(&self, region: &str, network: Network) -> Result<Endpoint, RegionError> {
        check_region(region)?;
        let Some(found) = self.regions.iter().find(|found| found.id == region) else {
            let rule = match network {
                Network::Public => self.public_rule,
                Network::Vpc => self.vpc_rule,
            };
            return Err(RegionError::Unknown {
                region: region.to_owned(),
                nearest: self.nearest(region),
                host: rule.replace("{region}", region),
            });
        };
        let host = match network {
            Network::Public => found.public_host,
            Network::Vpc => found.vpc_host,
        };
        Ok(Endpoint::parse(&format!("https://{host}"))?)
    }

    /// The open regions whose names differ least, the likeliest first.
    fn nearest(&self, id: &str) -> String {
        let open = self.regions.iter().filter(|region| region.is_open);
        let mut open: Vec<_> = open.map(|region| (strsim::osa_distance(id, region.id), region.id)).collect();
        open.sort_unstable();
        open.into_iter().take(OFFERED).map(|(_, id)| id).collect::<Vec<_>>().join(", ")
    }
}

/// Whether the text has the form of a region. Private clouds choose their names freely within this form.
///
/// # Errors
/// [`RegionError::NotARegion`]
pub fn check_region(text: &str) -> Result<(), RegionError> {
    if is_region(text) { Ok(()) } else { Err(RegionError::NotARegion(text.chars().take(40).collect())) }
}

/// Two or three letters (`cn-hangzhou`, `rus-west-1-pop`), then at least one group of letters and digits, with hyphens between.
fn is_region(text: &str) -> bool {
    let mut groups = text.split('-');
    let area = groups.next().unwrap_or_default();
    let word = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let mut rest = 0;
    text.len() <= 40
        && matches!(area.len(), 2 | 3)
        && area.bytes().all(|b| b.is_ascii_lowercase())
        && groups.all(|group| {
            rest += 1;
            word(group)
        })
        && rest > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product with one central host, and hosts of its own elsewhere.
    fn hosts() -> Hosts {
        let region = |id, public_host, vpc_host, is_open| Region { id, public_host, vpc_host, is_open };
        Hosts {
            regions: vec![
                region("cn-hangzhou", "sts.example", "sts-vpc.cn-hangzhou.example", true),
                region("cn-guangzhou", "sts.cn-guangzhou.example", "sts-vpc.cn-guangzhou.example", true),
                region("cn-hangzhou-finance", "sts.example", "sts-vpc.cn-hangzhou-finance.example", false),
                region("eu-central-1", "sts.eu-central-1.example", "sts-vpc.eu-central-1.example", true),
            ],
            public_rule: "sts.{region}.example",
            vpc_rule: "sts-vpc.{region}.example",
        }
    }

    #[test]
    fn regions_have_their_hosts() {
        let host = |region: &str, network| hosts().endpoint(region, network).map(|endpoint| endpoint.to_string());
        assert_eq!(host("cn-hangzhou", Network::Public).as_deref(), Ok("https://sts.example"));
        assert_eq!(host("cn-hangzhou", Network::Vpc).as_deref(), Ok("https://sts-vpc.cn-hangzhou.example"));
        assert_eq!(host("cn-hangzhou-finance", Network::Public).as_deref(), Ok("https://sts.example"), "a closed region has a host too");
        assert_eq!(
            host("cn-hangzou", Network::Vpc).unwrap_err().to_string(),
            "\"cn-hangzou\" is not a region that this release knows; the nearest are cn-hangzhou, cn-guangzhou, eu-central-1. If it is newer, \
             an administrator can set the account's endpoint: https://sts-vpc.cn-hangzou.example, and with it protocol.requestExpiry: 15m, which is \
             Never unless it is set beside an endpoint: after a lost answer nothing more would be sent"
        );
        assert!(host("cn-hangzou", Network::Public).unwrap_err().to_string().contains("endpoint: https://sts.cn-hangzou.example, and"));
    }

    #[test]
    fn a_text_that_is_not_a_region_leads_nowhere() {
        for wrong in [
            "",
            "cn",
            "cn-",
            "CN-hangzhou",
            "cn-hang zhou",
            "cn-x.evil.example/",
            "-cn-x",
            "cn--x",
            "china-east",
            &format!("cn-{}", "x".repeat(40)),
        ] {
            assert!(matches!(hosts().endpoint(wrong, Network::Public), Err(RegionError::NotARegion(_))), "{wrong:?}");
        }
    }
}
