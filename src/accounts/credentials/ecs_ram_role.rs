//! EcsRamRole: the keys of the RAM role of the node, from its metadata service. Version 2 of the service asks for a token first; version 1
//! is used only where an administrator allows it, because any pod of the node can be made to ask it.

use futures::future::BoxFuture;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    error::{CredentialsError, NotGiven},
    refresh::TemporarySource,
};
use crate::{
    api::Reason,
    rpc::{Credentials, Document, DocumentClient, Failure},
};

/// Where the service is on every node. It is plain http, and no packet to it leaves the node.
pub(super) const ENDPOINT: &str = "http://100.100.100.200";

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/ram/security-credentials/";

/// How long a token may be used. It is used for the requests of one exchange.
const TTL: (&str, &str) = ("x-aliyun-ecs-metadata-token-ttl-seconds", "60");
const TOKEN: &str = "x-aliyun-ecs-metadata-token";

/// The metadata service, and which role is asked for.
pub(super) struct EcsRamRole {
    name: String,
    endpoint: Url,
    /// None: the service names it.
    role: Option<String>,
    allow_imds_v1: bool,
    http: DocumentClient,
}

impl EcsRamRole {
    pub fn new(endpoint: Url, role: Option<String>, allow_imds_v1: bool, http: DocumentClient) -> Self {
        let name = match &role {
            Some(role) => format!("EcsRamRole (role {role})"),
            None => "EcsRamRole (the role of the node)".to_owned(),
        };
        Self { name, endpoint, role, allow_imds_v1, http }
    }

    async fn exchange(&self) -> Result<Credentials, CredentialsError> {
        let token = self.token().await?;
        let token = token.as_ref().map(ExposeSecret::expose_secret);
        let role = match &self.role {
            Some(role) => role.clone(),
            None => self.node_role(token).await?,
        };
        let answer = self.get(&format!("{ROLES_PATH}{role}"), token).await?;
        if answer.status == 404 {
            let what = format!("the node has no role {role}. Attach it to the ECS instance, or correct roleName");
            return Err(self.told(Reason::CredentialsNotFound, what));
        }
        // What is no JSON comes from something else than the service, or from half of it, and may pass. A document of the service without a
        // key does not.
        let document = Some(&answer).filter(|answer| answer.status == 200).and_then(Document::json);
        let document = document.ok_or_else(|| self.unreadable(answer.status))?;
        let is_success = document.get("Code").and_then(|code| code.as_str()).map(|code| code == "Success");
        match is_success {
            Some(true) => Credentials::of_answer(document).ok_or_else(|| self.malformed(&role)),
            None => Err(self.malformed(&role)),
            Some(false) => {
                let what =
                    format!("the metadata service gives no key of role {role}: its Code is not Success. Check that the role is attached");
                Err(self.told(Reason::CredentialsNotFound, what))
            }
        }
    }

    fn malformed(&self, role: &str) -> CredentialsError {
        let what = format!(
            "the document of the metadata service at {} about role {role} lacks one of Code, AccessKeyId, AccessKeySecret, SecurityToken and \
             Expiration, or one of them is no part of a key. Check what answers there",
            self.server()
        );
        self.told(Reason::InvalidCredentials, what)
    }

    /// The token of version 2; none where version 1 is used.
    async fn token(&self) -> Result<Option<SecretString>, CredentialsError> {
        let answer = self.http.put(self.at(TOKEN_PATH), Some(TTL)).await;
        match &answer {
            Ok(answer) if answer.status == 200 => match answer.word() {
                Some(token) => return Ok(Some(token.into())),
                None if !self.allow_imds_v1 => return Err(self.unreadable(answer.status)),
                None => {}
            },
            Ok(answer) if !self.allow_imds_v1 => {
                let what = format!(
                    "the metadata service at {} gives no token (status {}). Version 2 of it is needed; allowImdsV1 permits version 1",
                    self.server(),
                    answer.status
                );
                return Err(self.told(Reason::InvalidCredentials, what));
            }
            Err(failure) if !self.allow_imds_v1 => return Err(self.no_answer(failure)),
            Ok(_) | Err(_) => {}
        }
        Ok(None)
    }

    async fn node_role(&self, token: Option<&str>) -> Result<String, CredentialsError> {
        let answer = self.get(ROLES_PATH, token).await?;
        let is_role = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        match answer.status {
            200 => match answer.word().filter(is_role) {
                Some(role) => Ok(role.to_owned()),
                None => Err(self.unreadable(200)),
            },
            404 => Err(self.told(
                Reason::CredentialsNotFound,
                "the ECS instance that the operator runs on has no RAM role. Attach one to the node".to_owned(),
            )),
            status => Err(self.unreadable(status)),
        }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<Document, CredentialsError> {
        self.http.get(self.at(path), token.map(|token| (TOKEN, token))).await.map_err(|failure| self.no_answer(&failure))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url
    }

    fn server(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    fn no_answer(&self, failure: &Failure) -> CredentialsError {
        let (Failure::NotSent { why, .. } | Failure::Unusable(why) | Failure::Lost { why, .. } | Failure::TooLarge(why)) = failure;
        let what = format!(
            "{}: the metadata service at {} gives no answer ({why}). It is asked again. Check that the operator runs on an ECS \
             instance and that no network policy closes the address",
            self.name,
            self.server()
        );
        NotGiven::passing(Reason::ServiceUnavailable, what).into()
    }

    fn unreadable(&self, status: u16) -> CredentialsError {
        let what =
            format!("{}: the metadata service at {} answered with status {status} and no key. It is asked again", self.name, self.server());
        NotGiven::passing(Reason::ServiceUnavailable, what).into()
    }

    fn told(&self, reason: Reason, what: String) -> CredentialsError {
        NotGiven::new(reason, format!("{}: {what}", self.name)).into()
    }
}

impl TemporarySource for EcsRamRole {
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
        "EcsRamRole"
    }
}
