use super::{
    request::{Signed, Unsigned, pair},
    v1, v3,
};

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// RPC, HMAC-SHA1: private clouds and old gateways. <https://help.aliyun.com/document_detail/315526.html>
    V1,
    /// ACS3-HMAC-SHA256.
    #[default]
    V3,
}

/// Signs a request, and asks for an answer in JSON.
pub(in crate::rpc) fn sign(version: SignatureVersion, unsigned: &Unsigned<'_>) -> Signed {
    let mut signed = match version {
        SignatureVersion::V1 => v1::sign(unsigned),
        SignatureVersion::V3 => v3::sign(unsigned),
    };
    signed.headers.push(pair("accept", "application/json"));
    signed
}
