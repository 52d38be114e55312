//! By which way an account's requests leave: `proxy`, `ca` and `allowPrivateAddresses`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rpc::{Authorities, Egress, Proxy, Reach};

/// A proxy that is asked for a tunnel (CONNECT) to each host. It sees the host's name, and nothing of the requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Proxy")]
pub struct ProxySettings {
    /// Its address: `http://HOST:PORT` or `https://HOST:PORT`, without a user.
    pub url: String,
    /// Hosts that are called without it: names (`rds.example.com`), domains (`.example.com`), addresses and networks (`10.0.0.0/8`).
    #[serde(default)]
    pub no_proxy: Vec<String>,
}

/// Where the names of an account's hosts may lead. `by_hand`: an administrator wrote the host.
pub(super) fn reach(by_hand: bool, is_vpc: bool, allow_private: Option<bool>) -> Result<Reach, String> {
    match (by_hand, is_vpc, allow_private) {
        (true, _, Some(false)) => {
            Err("allowPrivateAddresses: false and endpoint exclude each other: endpoint allows its host, wherever it is".into())
        }
        (true, _, _) => Ok(Reach::Any),
        (false, true, None) | (false, _, Some(true)) => Ok(Reach::Private),
        (false, false, None) | (false, _, Some(false)) => Ok(Reach::Public),
    }
}

/// The way out that the keys of an account say.
pub(super) fn of(proxy: Option<&ProxySettings>, ca: Option<&str>, reach: Reach) -> Result<Egress, String> {
    let proxy = proxy.map(|proxy| Proxy::new(&proxy.url, &proxy.no_proxy)).transpose().map_err(|error| format!("proxy: {error}"))?;
    let authorities = ca.map(Authorities::from_pem).transpose().map_err(|error| error.to_string())?.unwrap_or_default();
    Ok(Egress { proxy, authorities, reach })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_for_vpc_hosts_for_hosts_that_were_named_and_for_who_says_so() {
        for (by_hand, is_vpc, allow, expected) in [
            (false, false, None, Some(Reach::Public)),
            (false, true, None, Some(Reach::Private)),
            (false, true, Some(false), Some(Reach::Public)),
            (false, false, Some(true), Some(Reach::Private)),
            (true, false, None, Some(Reach::Any)),
            (true, false, Some(true), Some(Reach::Any)),
            (true, false, Some(false), None),
        ] {
            assert_eq!(reach(by_hand, is_vpc, allow).ok(), expected, "{by_hand} {is_vpc} {allow:?}");
        }
    }
}
