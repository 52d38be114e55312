//! Where STS is served: each region has a host of its own on the internet, and one in its own network.

use crate::rpc::{Endpoint, Network, RegionError, check_region};

/// The host of a region. STS has no table of regions: the rule holds for all of them.
///
/// # Errors
/// The text is not a region.
pub fn endpoint(region: &str, network: Network) -> Result<Endpoint, RegionError> {
    check_region(region)?;
    let host = match network {
        Network::Public => format!("sts.{region}.aliyuncs.com"),
        Network::Vpc => format!("sts-vpc.{region}.aliyuncs.com"),
    };
    Ok(Endpoint::parse(&format!("https://{host}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_a_host_in_both_networks_and_no_other_text_has_one() {
        let at = |region: &str, network| endpoint(region, network).map(|endpoint| endpoint.to_string());
        assert_eq!(at("cn-hangzhou", Network::Public).as_deref(), Ok("https://sts.cn-hangzhou.aliyuncs.com"));
        assert_eq!(at("ap-southeast-1", Network::Vpc).as_deref(), Ok("https://sts-vpc.ap-southeast-1.aliyuncs.com"));
        assert!(matches!(at("cn-x.evil.example/", Network::Public), Err(RegionError::NotARegion(_))));
    }
}
