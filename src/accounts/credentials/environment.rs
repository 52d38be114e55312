use super::{
    error::CredentialsError,
    parts::{self, PartError},
};
use crate::rpc::Credentials;

/// The variables without which there is no key.
pub(super) const KEY_NAMES: [&str; 2] = ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"];

const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";

/// The access key in the operator's environment. `lookup` reads one variable, so that one file reads the environment.
pub(super) fn read(lookup: impl Fn(&'static str) -> Option<String>) -> Result<Credentials, CredentialsError> {
    let [id, secret] = KEY_NAMES;
    parts::credentials([id, secret, TOKEN], |name| lookup(name).map(|value| value.into_bytes().into())).map_err(|error| match error {
        PartError::Missing(name) => CredentialsError::NotInEnvironment(name),
        PartError::Unusable(name) => CredentialsError::UnusableInEnvironment(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_a_newline_at_its_end_is_read_and_one_that_cannot_be_sent_is_named() {
        let read = |id: &str| {
            let id = id.to_owned();
            read(move |name| match name {
                "ALIBABA_CLOUD_ACCESS_KEY_ID" => Some(id.clone()),
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET" => Some("secret\n".to_owned()),
                _ => None,
            })
        };
        assert_eq!(read("LTAI5t\n").unwrap().access_key_id, "LTAI5t");
        let error = read("LTAI\n5t").unwrap_err();
        assert_eq!(error.reason(), crate::api::Reason::InvalidCredentials);
        let said = error.to_string();
        assert!(said.contains("ALIBABA_CLOUD_ACCESS_KEY_ID") && !said.contains("5t"), "{said}");
        assert!(read("").unwrap_err().to_string().contains("has no ALIBABA_CLOUD_ACCESS_KEY_ID"));
    }
}
