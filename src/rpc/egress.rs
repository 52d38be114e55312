//! By which way requests leave: a proxy, certificate authorities of one's own, and the addresses that a host's name may lead to.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use url::Url;

/// By which way the requests of a client leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// A proxy for hosts that are reached by https. None: directly, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// Authorities that are trusted beside those of the system.
    pub authorities: Authorities,
    /// The addresses that the host's name may lead to.
    pub reach: Reach,
}

/// A proxy that is asked for a tunnel (CONNECT) and sees nothing of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    not_for: Vec<String>,
}

/// Certificates of authorities.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// Which addresses a name may lead to. Whoever answers for a name in DNS could otherwise have signed requests sent into the cluster's own
/// network, or to the node's metadata service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Those of the internet.
    #[default]
    Public,
    /// Those of private networks too, and 100.64.0.0/10, in which the service's VPC hosts are.
    Private,
    /// Every address: an administrator named the host.
    Any,
}

/// Why an egress cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The proxy's address is none.
    #[error("{0:?} is no address of a proxy: write http://HOST:PORT or https://HOST:PORT, without user, path and query")]
    Proxy(String),
    /// A name that has no proxy is none.
    #[error("{0:?} is no host, domain, address or network: write for example rds.example.com, .example.com or 10.0.0.0/8")]
    NotFor(String),
    /// The certificates cannot be read.
    #[error("certificate {number} of ca cannot be used: {why}. Write certificates in PEM form, from -----BEGIN CERTIFICATE-----")]
    Certificate {
        /// Which one, from 1.
        number: usize,
        /// Why.
        why: String,
    },
}

impl Proxy {
    /// A proxy at `url`, which is not used for hosts that are named in `not_for`: a host, a domain (`.example.com`), an address or a network.
    ///
    /// # Errors
    /// [`EgressError::Proxy`], [`EgressError::NotFor`]
    pub fn new(url: &str, not_for: &[String]) -> Result<Self, EgressError> {
        let wrong = || {
            // What comes before an @ may be a password.
            EgressError::Proxy(url.rsplit('@').next().unwrap_or_default().chars().take(100).collect())
        };
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        let is_plain =
            parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none() && parsed.fragment().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() || parsed.path() != "/" || !is_plain {
            return Err(wrong());
        }
        if let Some(unclear) = not_for.iter().find(|name| !is_host_or_network(name)) {
            return Err(EgressError::NotFor(unclear.chars().take(100).collect()));
        }
        Ok(Self { url: parsed, not_for: not_for.to_vec() })
    }

    fn to_client(&self) -> reqwest::Result<reqwest::Proxy> {
        let not_for = reqwest::NoProxy::from_string(&self.not_for.join(","));
        // Only for https: of plain http, which is for loopback, a proxy would see the whole request.
        Ok(reqwest::Proxy::https(self.url.clone())?.no_proxy(not_for))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

fn is_host_or_network(text: &str) -> bool {
    let host = text.strip_prefix('.').unwrap_or(text);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok() || host.split('.').all(is_label)
}

impl Authorities {
    /// Certificates in PEM form. Each must be usable as an authority.
    ///
    /// # Errors
    /// [`EgressError::Certificate`]
    pub fn from_pem(text: &str) -> Result<Self, EgressError> {
        let refused = |number: usize, why: String| EgressError::Certificate { number, why };
        let (mut certificates, mut store) = (Vec::new(), RootCertStore::empty());
        for (found, number) in CertificateDer::pem_slice_iter(text.as_bytes()).zip(1..) {
            let certificate = found.map_err(|error| refused(number, error.to_string()))?;
            store.add(certificate.clone()).map_err(|error| refused(number, error.to_string()))?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(refused(1, "there is none".to_owned()));
        }
        Ok(Self(certificates))
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.0.len())
    }
}

impl Egress {
    /// The client with this way out.
    ///
    /// # Errors
    /// The HTTP library takes the proxy or a certificate for wrong.
    pub(super) fn apply(&self, mut builder: reqwest::ClientBuilder) -> reqwest::Result<reqwest::ClientBuilder> {
        let proxy_host = self.proxy.as_ref().and_then(|proxy| proxy.url.host_str().map(str::to_owned));
        builder = builder.dns_resolver(CheckedResolver { reach: self.reach, proxy_host });
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.to_client()?);
        }
        if self.authorities.0.is_empty() {
            return Ok(builder);
        }
        let certificates = self.authorities.0.iter().map(|der| reqwest::Certificate::from_der(der)).collect::<reqwest::Result<Vec<_>>>()?;
        Ok(builder.tls_certs_merge(certificates))
    }
}

/// The system's resolver, without the addresses that a name may not lead to. The connection goes to what was checked here: the name is not
/// asked for again.
struct CheckedResolver {
    reach: Reach,
    /// An administrator named it.
    proxy_host: Option<String>,
}

/// A name leads to addresses that are not allowed only.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} leads to {address}, {kind}, to which the account sends nothing. If that is right, an administrator sets the account's network: Vpc, its \
     endpoint, or allowPrivateAddresses: true"
)]
struct NotReachable {
    host: String,
    address: IpAddr,
    kind: &'static str,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let reach = if self.proxy_host.as_deref() == Some(&host) { Reach::Any } else { self.reach };
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<_> = found.iter().copied().filter(|address| reach.refuses(address.ip()).is_none()).collect();
            let refused = found.iter().find_map(|address| Some((address.ip(), reach.refuses(address.ip())?)));
            match refused {
                Some((address, kind)) if allowed.is_empty() => Err(NotReachable { host, address, kind }.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// The networks that are no part of the internet, and what they are. The first that matches names the address.
/// Source: the special-purpose registries of IANA (RFC 6890), and the metadata service of Alibaba Cloud's machines.
const SPECIAL: [(&str, &str, bool); 14] = [
    ("100.100.100.200/32", "the metadata service of the machine", false),
    ("127.0.0.0/8", "this machine", false),
    ("::1/128", "this machine", false),
    ("0.0.0.0/8", "no address of a host", false),
    ("::/128", "no address of a host", false),
    ("169.254.0.0/16", "a link-local address", false),
    ("fe80::/10", "a link-local address", false),
    ("224.0.0.0/3", "no address of a host", false),
    ("ff00::/8", "no address of a host", false),
    ("10.0.0.0/8", "a private address", true),
    ("172.16.0.0/12", "a private address", true),
    ("192.168.0.0/16", "a private address", true),
    ("100.64.0.0/10", "a private address", true),
    ("fc00::/7", "a private address", true),
];

impl Reach {
    /// What the address is, if it may not be reached.
    fn refuses(self, address: IpAddr) -> Option<&'static str> {
        // An IPv4 address may come as an IPv6 one (`::ffff:10.0.0.1`).
        let address = address.to_canonical();
        let special = SPECIAL.iter().find(|(network, _, _)| network.parse::<IpNet>().is_ok_and(|network| network.contains(&address)));
        match (self, special) {
            (Self::Any, _) | (_, None) | (Self::Private, Some((_, _, true))) => None,
            (Self::Private | Self::Public, Some((_, kind, _))) => Some(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_where_the_account_may_go() {
        let refused = |reach: Reach, address: &str| reach.refuses(address.parse().unwrap());
        for (address, public, private) in [
            ("203.0.113.7", None, None),
            ("2400:3200::1", None, None),
            ("10.1.2.3", Some("a private address"), None),
            ("172.31.255.255", Some("a private address"), None),
            ("172.32.0.0", None, None),
            ("192.168.0.1", Some("a private address"), None),
            ("100.100.80.1", Some("a private address"), None),
            ("fd00::1", Some("a private address"), None),
            ("::ffff:10.1.2.3", Some("a private address"), None),
            ("100.100.100.200", Some("the metadata service of the machine"), Some("the metadata service of the machine")),
            ("::ffff:100.100.100.200", Some("the metadata service of the machine"), Some("the metadata service of the machine")),
            ("169.254.169.254", Some("a link-local address"), Some("a link-local address")),
            ("fe80::1", Some("a link-local address"), Some("a link-local address")),
            ("127.0.0.1", Some("this machine"), Some("this machine")),
            ("::1", Some("this machine"), Some("this machine")),
            ("0.0.0.0", Some("no address of a host"), Some("no address of a host")),
            ("255.255.255.255", Some("no address of a host"), Some("no address of a host")),
        ] {
            assert_eq!((refused(Reach::Public, address), refused(Reach::Private, address)), (public, private), "{address}");
            assert_eq!(refused(Reach::Any, address), None);
        }
    }

    #[test]
    fn every_network_of_the_table_is_one() {
        for (network, kind, _) in SPECIAL {
            assert!(network.parse::<IpNet>().is_ok(), "{network}, {kind}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_without_a_password() {
        for good in ["http://proxy.example:3128", "https://proxy.example", "http://10.0.0.1:8080", "http://[fd00::1]:3128/"] {
            assert!(Proxy::new(good, &[]).is_ok(), "{good}");
        }
        for wrong in [
            "proxy.example:3128",
            "socks5://proxy.example:1080",
            "http://u:hunter2@proxy.example",
            "http://proxy.example/path",
            "http://",
            "",
        ] {
            let error = Proxy::new(wrong, &[]).unwrap_err().to_string();
            assert!(error.contains("http://HOST:PORT") && !error.contains("hunter2"), "{error}");
        }
        for good in ["rds.example.com", ".example.com", "10.0.0.1", "10.0.0.0/8", "fd00::/8"] {
            assert!(Proxy::new("http://proxy.example", &[good.to_owned()]).is_ok(), "{good}");
        }
        for wrong in ["", "*", "*.example.com", "a,b", "https://x", "10.0.0.0/33"] {
            assert!(Proxy::new("http://proxy.example", &[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_used_is_named() {
        for (text, expected) in [
            ("", "certificate 1 of ca cannot be used: there is none"),
            ("MIIB", "there is none"),
            ("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n", "certificate 1 of ca cannot be used"),
            ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "certificate 1 of ca cannot be used"),
        ] {
            let error = Authorities::from_pem(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
