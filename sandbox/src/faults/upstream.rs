//! The servers behind the proxies, and how a proxy reaches them.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::{TlsConnector, rustls};

use super::error::FaultsError;
use crate::world::World;

/// Where requests go.
#[derive(Clone)]
pub(super) enum Upstream {
    Plain(SocketAddr),
    Tls(SocketAddr, TlsConnector),
}

impl Upstream {
    /// The API server of a world, known by its certificate.
    pub(super) fn api_server(world: &World) -> Result<Self, FaultsError> {
        let wrong = |why: &dyn std::fmt::Display| FaultsError::Certificate(why.to_string());
        let address: SocketAddr = world.plane.server().trim_start_matches("https://").parse().map_err(|error| wrong(&error))?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(world.plane.ca()).map_err(|error| wrong(&error))? {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Tls(address, TlsConnector::from(Arc::new(config))))
    }
}
