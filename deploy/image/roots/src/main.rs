//! Writes the root certificates of Mozilla's list to stdout, as the PEM file that the image holds.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// The licence of the list requires that its text accompanies the list; readers of PEM skip text outside of a certificate.
const LICENCE: &str = include_str!("../CDLA-Permissive-2.0");

fn main() -> io::Result<()> {
    io::stdout().write_all(bundle().as_bytes())
}

fn bundle() -> String {
    let mut pem =
        format!("# {} root certificates of Mozilla's list, as the crate webpki-root-certs has them.\n#\n", TLS_SERVER_ROOT_CERTS.len());
    for line in LICENCE.lines() {
        pem.push_str(format!("# {line}").trim_end());
        pem.push('\n');
    }
    for certificate in TLS_SERVER_ROOT_CERTS {
        pem.push_str("\n-----BEGIN CERTIFICATE-----\n");
        let encoded = BASE64_STANDARD.encode(certificate);
        // 64 characters a line: RFC 7468, and what the strictest readers expect.
        for start in (0..encoded.len()).step_by(64) {
            let _ = writeln!(pem, "{}", &encoded[start..encoded.len().min(start + 64)]);
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    #[test]
    fn the_bundle_is_read_back_as_the_certificates_it_was_made_of() {
        let read: Vec<_> = CertificateDer::pem_slice_iter(bundle().as_bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, TLS_SERVER_ROOT_CERTS);
    }

    /// The list has 118 in version 1.0.11. One that lost a third of them, or has none, is looked at before it is shipped.
    #[test]
    fn the_list_is_a_whole_one() {
        assert!(TLS_SERVER_ROOT_CERTS.len() >= 80, "{} certificates", TLS_SERVER_ROOT_CERTS.len());
    }
}
