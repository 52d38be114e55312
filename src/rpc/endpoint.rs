use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// Where the service is: a scheme and a host, without the other parts of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

/// Why a text is not an endpoint.
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
            // The text after an @ or a ? may be a secret, so it is not shown.
            return Err(EndpointError::MoreThanAHost(endpoint.to_string()));
        }
        Ok(endpoint)
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
    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The `Host` header: with the port unless it is the scheme's own. It is signed, so exactly this text must be sent.
    pub(super) fn host_header(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The address of a request with this query. The query is encoded already, and must be sent exactly as it was signed.
    pub(super) fn with_query(&self, canonical_query: Option<&str>) -> Url {
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

#[cfg(test)]
mod tests {
    use super::*;

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
