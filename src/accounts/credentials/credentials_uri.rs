//! CredentialsURI: a server of the administrator's that hands out temporary keys as a JSON document.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    error::{CredentialsError, NotGiven},
    refresh::TemporarySource,
};
use crate::{
    accounts::credentials_settings::CredentialsUri as Address,
    api::Reason,
    rpc::{Credentials, Document, DocumentClient, Failure},
};

/// The server's address. Only its host is shown: path and query may be secret.
pub(super) struct CredentialsUri {
    name: String,
    address: Address,
    http: DocumentClient,
}

impl CredentialsUri {
    pub fn new(address: &Address, http: DocumentClient) -> Self {
        Self { name: format!("CredentialsURI ({})", address.host()), address: address.clone(), http }
    }

    async fn exchange(&self) -> Result<Credentials, CredentialsError> {
        let answer = self.http.get(self.address.url(), None).await.map_err(|failure| self.no_answer(&failure))?;
        match answer.status {
            200 => {}
            401 | 403 => return Err(self.told(Reason::AccessDenied, format!("the server refuses (status {})", answer.status))),
            404 => return Err(self.told(Reason::CredentialsNotFound, "the server has nothing at that address (status 404)".to_owned())),
            status => return Err(self.passing(format!("the server answered with status {status}"))),
        }
        let document = Document::json(&answer).ok_or_else(|| self.passing("the server's answer is no JSON document".to_owned()))?;
        let code = document.get("Code").and_then(|code| code.as_str());
        if code.is_some_and(|code| code != "Success") {
            return Err(self.told(Reason::CredentialsNotFound, "the server gives no key: its Code is not Success".to_owned()));
        }
        Credentials::of_answer(document).ok_or_else(|| {
            let what = "the server's answer lacks one of AccessKeyId, AccessKeySecret, SecurityToken and Expiration, or one of them is no part of a \
                        key";
            self.told(Reason::InvalidCredentials, what.to_owned())
        })
    }

    fn no_answer(&self, failure: &Failure) -> CredentialsError {
        let (Failure::NotSent { why, .. } | Failure::Unusable(why) | Failure::Lost { why, .. } | Failure::TooLarge(why)) = failure;
        self.passing(format!("the server gives no answer ({why})"))
    }

    fn passing(&self, what: String) -> CredentialsError {
        NotGiven::passing(Reason::ServiceUnavailable, format!("{}: {what}. It is asked again. Check the server", self.name)).into()
    }

    fn told(&self, reason: Reason, what: String) -> CredentialsError {
        NotGiven::new(reason, format!("{}: {what}. Check the account's credentials.uri and the server", self.name)).into()
    }
}

impl TemporarySource for CredentialsUri {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(self.exchange())
    }

    fn now(&self) -> Timestamp {
        self.http.now()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "CredentialsURI"
    }
}
