use secrecy::SecretString;

use super::error::CredentialsError;
use crate::rpc::Credentials;

/// The access key in the operator's environment. `lookup` reads one variable, so that one file reads the environment.
pub(super) fn read(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Credentials, CredentialsError> {
    let get = |key: &'static str| lookup(key).filter(|value| !value.is_empty());
    let required = |key: &'static str| get(key).ok_or(CredentialsError::NotInEnvironment(key));
    Ok(Credentials {
        access_key_id: required("ALIBABA_CLOUD_ACCESS_KEY_ID")?,
        access_key_secret: SecretString::from(required("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?),
        security_token: get("ALIBABA_CLOUD_SECURITY_TOKEN").map(SecretString::from),
        expires_at: None,
    })
}
