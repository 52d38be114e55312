//! The plane's own certificate authority and the certificates that it issues, all in the directory of one plane.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Files that the components and the kubeconfigs name. ECDSA P-256 throughout: made in a millisecond, where RSA would take a second.
#[derive(Debug, Clone)]
pub(super) struct Certs {
    pub ca: PathBuf,
    pub serving: Pair,
    pub admin: Pair,
    pub controller_manager: Pair,
    /// Signs and verifies the tokens of ServiceAccounts.
    pub service_account: Pair,
}

/// A private key and its public part: a certificate, or the bare public key.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub public: PathBuf,
    pub key: PathBuf,
}

/// Why the certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// They could not be computed.
    #[error("the plane's certificates could not be made")]
    Make(#[from] rcgen::Error),
    /// They could not be written.
    #[error("the plane's certificates could not be written")]
    Write(#[from] io::Error),
}

impl Certs {
    /// Creates all keys and certificates in `dir`.
    pub(super) fn issue(dir: &Path) -> Result<Self, CertsError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = params(&[], "rds-backup-sandbox-ca", None)?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let ca_file = dir.join("ca.crt");
        // The authority's key is not written to a file: nothing is issued after this function.
        write_private(&ca_file, &ca.self_signed(&ca_key)?.pem())?;
        let issuer = Issuer::new(ca, ca_key);

        // 10.0.0.1 is the first address of the service range, which clients inside a cluster would use.
        let names = ["127.0.0.1", "localhost", "10.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut serving = params(&names, "kube-apiserver", None)?;
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let service_account = KeyPair::generate()?;
        Ok(Self {
            ca: ca_file,
            serving: sign(dir, "serving", serving, &issuer)?,
            admin: sign(dir, "admin", client("sandbox-admin", Some("system:masters"))?, &issuer)?,
            controller_manager: sign(dir, "controller-manager", client("system:kube-controller-manager", None)?, &issuer)?,
            service_account: store(dir, "service-account", "pub", &service_account.public_key_pem(), &service_account)?,
        })
    }
}

fn client(user: &str, group: Option<&str>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(&[], user, group)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// Validity stays rcgen's default of 1975 to 4096: a throwaway authority gains nothing from an end, and a wrong clock breaks nothing.
fn params(names: &[&str], common_name: &str, organization: Option<&str>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn sign(dir: &Path, name: &str, params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Pair, CertsError> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(store(dir, name, "crt", &certificate.pem(), &key)?)
}

fn store(dir: &Path, name: &str, ending: &str, public: &str, key: &KeyPair) -> io::Result<Pair> {
    let pair = Pair { public: dir.join(format!("{name}.{ending}")), key: dir.join(format!("{name}.key")) };
    write_private(&pair.public, public)?;
    write_private(&pair.key, &key.serialize_pem())?;
    Ok(pair)
}

/// Writes a file that only its owner can read, from its first byte on.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_file_is_its_owners_alone_and_the_authoritys_key_is_nowhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let certs = Certs::issue(dir.path()).expect("certificates");
        let mut files: Vec<PathBuf> = std::fs::read_dir(dir.path()).expect("a directory").flatten().map(|entry| entry.path()).collect();
        for file in &files {
            assert_eq!(std::fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        let pairs = [certs.serving, certs.admin, certs.controller_manager, certs.service_account];
        let mut named: Vec<PathBuf> = pairs.into_iter().flat_map(|pair| [pair.public, pair.key]).chain([certs.ca]).collect();
        files.sort();
        named.sort();
        assert_eq!(files, named);
    }
}
