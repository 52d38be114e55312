//! The regions that serve RDS, and their hosts: `regions.tsv`, from the API's metadata of December 2025 and, for regions that the metadata
//! does not name, from the official SDK's map. A central host serves most regions of mainland China; the other regions have their own.

use std::sync::LazyLock;

use super::table;
use crate::rpc::{Hosts, Region};

/// Where RDS is served.
pub fn hosts() -> &'static Hosts {
    static HOSTS: LazyLock<Hosts> = LazyLock::new(|| {
        let region = |(id, public_host, vpc_host, _place, kind): (_, _, _, &str, &str)| {
            // The last row is the rule for all other regions.
            (kind != "rule").then_some(Region { id, public_host, vpc_host, is_open: kind == "public" })
        };
        Hosts {
            regions: table::rows(include_str!("regions.tsv")).filter_map(region).collect(),
            public_rule: "rds.{region}.aliyuncs.com",
            vpc_rule: "rds-vpc.{region}.aliyuncs.com",
        }
    });
    &HOSTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{Network, RegionError};

    /// Regions with their suggested public host and their VPC host, as collected from the SDKs and the API's metadata.
    const COLLECTED: &str = include_str!("../../tests/fixtures/endpoints.tsv");

    #[test]
    fn every_region_has_its_hosts() {
        let rows: Vec<_> = COLLECTED.lines().skip(1).collect();
        assert_eq!(rows.len(), 62);
        let rule = |rule: &str| rule.replace("{region}", "cn-new-1");
        for row in rows {
            let [id, public, vpc] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            if id == "*" {
                assert_eq!((hosts().public_rule, hosts().vpc_rule), (public, vpc));
            }
            for (network, host) in [(Network::Public, public), (Network::Vpc, vpc)] {
                match hosts().endpoint(if id == "*" { "cn-new-1" } else { id }, network) {
                    Ok(endpoint) => assert_eq!(endpoint.to_string(), format!("https://{host}"), "{id}"),
                    Err(RegionError::Unknown { host: offered, .. }) => assert_eq!((id, offered), ("*", rule(host))),
                    Err(error) => panic!("{id}: {error}"),
                }
            }
        }
        assert_eq!(hosts().regions.len(), 61);
        assert_eq!(hosts().regions.iter().filter(|region| region.is_open).count(), 28);
    }

    #[test]
    fn the_nearest_names_are_offered() {
        for (wrong, offered) in [
            ("cn-hangzou", "cn-hangzhou, cn-guangzhou, cn-chengdu"),
            ("ap-southeast-8", "ap-southeast-1, ap-southeast-3, ap-southeast-5"),
            ("eu-centrall-1", "eu-central-1"),
            ("cn-hangzhou-internal", "cn-hangzhou-finance"),
        ] {
            let error = hosts().endpoint(wrong, Network::Vpc).unwrap_err().to_string();
            assert!(error.contains(&format!("the nearest are {offered}")), "{wrong}: {error}");
            assert!(
                error.contains(&format!("https://rds-vpc.{wrong}.aliyuncs.com, and with it protocol.requestExpiry")),
                "{wrong}: {error}"
            );
        }
    }
}
