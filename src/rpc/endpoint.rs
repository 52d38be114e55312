use std::{fmt, net::IpAddr};

use url::{Host, Url};

use super::hosts::{self, Network};

/// Where the service is: a scheme and a host. Nothing else of a URL means anything to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

/// Why a text is no endpoint, or no region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is not a URL.
    #[error("the endpoint {0:?} is not a URL: write for example https://rds.aliyuncs.com")]
    NotAUrl(String),
    /// Credentials would travel in the clear.
    #[error("the endpoint {0:?} must begin with https://; plain http is for loopback addresses")]
    NotEncrypted(String),
    /// It names more than a host.
    #[error("the endpoint {0:?} must be a scheme and a host, without user, path, query or fragment")]
    MoreThanAHost(String),
    /// It does not look like a region.
    #[error("{0:?} is not a region: it looks like cn-hangzhou or ap-southeast-1")]
    NotARegion(String),
    /// No region of the table has this name.
    #[error(
        "{region:?} is not a region that this release knows; the nearest are {nearest}. If it is newer, an administrator can set the account's \
         endpoint: https://{host}"
    )]
    UnknownRegion {
        /// The name.
        region: String,
        /// Names that differ little.
        nearest: String,
        /// Where the region would be, by the rule for hosts.
        host: String,
    },
}

impl Endpoint {
    /// Takes an address that an administrator wrote. Plain http is accepted on loopback only.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let shown = || text.chars().take(100).collect::<String>();
        let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl(shown()))?;
        if url.host().is_none() {
            return Err(EndpointError::NotAUrl(shown()));
        }
        let endpoint = Self { url };
        match endpoint.url.scheme() {
            "https" => {}
            "http" if endpoint.is_loopback() => {}
            _ => return Err(EndpointError::NotEncrypted(shown())),
        }
        let url = &endpoint.url;
        if !url.username().is_empty() || url.password().is_some() || url.path() != "/" || url.query().is_some() || url.fragment().is_some()
        {
            // What follows an @ or a ? may be a secret, so it is not shown.
            return Err(EndpointError::MoreThanAHost(endpoint.to_string()));
        }
        Ok(endpoint)
    }

    /// The host of a region.
    pub fn for_region(region: &str, network: Network) -> Result<Self, EndpointError> {
        check_region(region)?;
        match hosts::find(region) {
            Some(found) => Self::parse(&format!("https://{}", found.host(network))),
            None => Err(EndpointError::UnknownRegion {
                region: region.to_owned(),
                nearest: hosts::nearest(region),
                host: hosts::by_rule(region, network),
            }),
        }
    }

    /// Whether it is this machine itself.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => false,
        }
    }

    /// Whether requests travel encrypted: everywhere but on loopback.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The `Host` header: with the port unless it is the scheme's own. It is signed, so it must be what travels.
    pub(crate) fn host_header(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The address of a request with this query, which is encoded already: what was signed must travel as it is.
    pub(crate) fn with_query(&self, canonical_query: Option<&str>) -> Url {
        let mut url = self.url.clone();
        url.set_query(canonical_query);
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.host_header())
    }
}

/// Whether the text has the form of a region. Private clouds name theirs as they like, within this form.
pub fn check_region(text: &str) -> Result<(), EndpointError> {
    if is_region(text) { Ok(()) } else { Err(EndpointError::NotARegion(text.chars().take(40).collect())) }
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

    #[test]
    fn regions_have_their_hosts() {
        let host = |region: &str, network| Endpoint::for_region(region, network).map(|endpoint| endpoint.to_string());
        assert_eq!(host("cn-hangzhou", Network::Public).as_deref(), Ok("https://rds.aliyuncs.com"));
        assert_eq!(host("cn-hangzhou", Network::Vpc).as_deref(), Ok("https://rds-vpc.cn-hangzhou.aliyuncs.com"));
        assert_eq!(host("ap-southeast-1", Network::Public).as_deref(), Ok("https://rds.ap-southeast-1.aliyuncs.com"));
        assert_eq!(
            host("cn-hangzou", Network::Vpc).unwrap_err().to_string(),
            "\"cn-hangzou\" is not a region that this release knows; the nearest are cn-hangzhou, cn-guangzhou, cn-chengdu. If it is newer, an \
             administrator can set the account's endpoint: https://rds-vpc.cn-hangzou.aliyuncs.com"
        );
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
            assert!(matches!(Endpoint::for_region(wrong, Network::Public), Err(EndpointError::NotARegion(_))), "{wrong:?}");
        }
    }

    #[test]
    fn only_loopback_may_be_unencrypted() {
        for good in
            ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80", "https://rds.private.example", "https://10.0.0.1:8443/"]
        {
            Endpoint::parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for (wrong, error) in [
            ("http://rds.aliyuncs.com", "https"),
            ("http://127.0.0.1.evil.example", "https"),
            ("http://localhost.evil.example", "https"),
            ("ftp://127.0.0.1", "https"),
            ("rds.aliyuncs.com", "not a URL"),
            ("https://", "not a URL"),
            ("https://user:hunter2@rds.example", "without user"),
            ("https://rds.example/path", "without user"),
            ("https://rds.example?a=b", "without user"),
        ] {
            let text = Endpoint::parse(wrong).unwrap_err().to_string();
            assert!(text.contains(error) && !text.contains("hunter2"), "{wrong}: {text}");
        }
        assert_eq!(Endpoint::parse("http://127.0.0.1:8080").unwrap().host_header(), "127.0.0.1:8080");
        assert_eq!(Endpoint::parse("https://rds.example:443").unwrap().host_header(), "rds.example");
    }
}
