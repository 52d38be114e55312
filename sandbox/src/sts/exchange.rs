//! The two actions, and all that they refuse.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::roles::{Provider, Role, Trust};
use super::token::TokenError;
use crate::rds::{ApiError, Key, Nonces, RawRequest, SignatureVersion, later, since, verify};

const VERSION: &str = "2015-04-01";

/// How old a request may be.
const EXPIRY: Duration = Duration::from_secs(15 * 60);

/// The shortest session.
const SHORTEST: u64 = 900;

/// What the service knows.
pub(super) struct Directory {
    pub(super) providers: Vec<Provider>,
    pub(super) roles: Vec<Role>,
    pub(super) keys: Vec<Key>,
    /// Whose key it is, of those that were given out: the role's ARN.
    pub(super) principals: BTreeMap<String, String>,
    pub(super) nonces: Nonces,
    /// Keys live so long, whatever is asked for, so that a test sees their ends.
    pub(super) life: Option<Duration>,
    pub(super) issued: u32,
    /// Part of the ids of its keys: several services may hand theirs to one endpoint.
    pub(super) port: u16,
}

/// A key that was given out, and the answer with it.
pub(super) struct Issued {
    pub(super) key: Key,
    pub(super) answer: Value,
}

impl Directory {
    /// Performs the action that the request names.
    pub(super) fn perform(&mut self, request: &RawRequest, takes_queries: bool, now: Timestamp) -> Result<Issued, ApiError> {
        let is_known = request.method == "POST" || (takes_queries && request.method == "GET");
        if !is_known || request.path != "/" {
            return Err(ApiError::new(405, "MethodNotAllowed", "Only POST / is served here: what travels in a GET is written to logs."));
        }
        if let Some(name) = request.repeated() {
            return Err(ApiError::invalid(&name));
        }
        match action(request).as_str() {
            "AssumeRoleWithOIDC" => self.with_oidc(request, takes_queries, now),
            "AssumeRole" => self.with_key(request, now),
            _ => Err(ApiError::new(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")),
        }
    }

    fn with_oidc(&mut self, request: &RawRequest, takes_queries: bool, now: Timestamp) -> Result<Issued, ApiError> {
        let query: BTreeMap<String, String> = request.query_pairs().into_iter().collect();
        let of_form = ["RoleArn", "OIDCProviderArn", "OIDCToken", "RoleSessionName", "DurationSeconds", "Policy"];
        let may_be_in_query = |name: &str| {
            ["Action", "Version", "Format", "Timestamp"].contains(&name)
                || (takes_queries && (of_form.contains(&name) || name == "SignatureNonce"))
        };
        if let Some(name) = query.keys().find(|name| !may_be_in_query(name)) {
            return Err(ApiError::new(400, "UnsupportedParameter", format!("The parameter {name} does not belong in the query.")));
        }
        if query.get("Version").map(String::as_str) != Some(VERSION) {
            return Err(ApiError::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
        }
        let sent = query.get("Timestamp").and_then(|text| text.parse::<Timestamp>().ok());
        let sent = sent.ok_or_else(|| ApiError::new(400, "InvalidTimeStamp.Format", "Specified time stamp is not well formatted."))?;
        if since(sent, now) > EXPIRY || since(now, sent) > EXPIRY {
            return Err(ApiError::new(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."));
        }
        if request.header("authorization").is_some() || !(request.has_form() || takes_queries) {
            return Err(ApiError::new(400, "UnsupportedOperation", "This call is not signed, and its parameters are a form."));
        }
        let parameters = request.parameters();
        let form = parameters.keys().filter(|name| !query.contains_key(name.as_str()));
        refuse_unknown(form, &of_form)?;
        let required = |name: &str| parameters.get(name).cloned().ok_or_else(|| ApiError::missing(name));
        let (arn, provider_arn) = (required("RoleArn")?, required("OIDCProviderArn")?);
        let session = session_name(&parameters)?;
        let token = parameters.get("OIDCToken").map(String::as_str).unwrap_or_default();

        let refused = |code: &str, message: &str| ApiError::new(401, code, message);
        let no_permission = || refused("AuthenticationFail.NoPermission", "You are not authorized to assume the role.");
        let provider = self.providers.iter().find(|provider| provider.arn == provider_arn).ok_or_else(no_permission)?;
        let claims = provider.issuer.read(token).map_err(|error| match error {
            // As a careless service would: it repeats what it was sent.
            TokenError::Invalid => refused("AuthenticationFail.OIDCToken.Invalid", &format!("The OIDC token {token} is invalid.")),
            TokenError::Signature => {
                refused("AuthenticationFail.OIDCToken.InvalidSignature", "The signature of the OIDC token is invalid.")
            }
        })?;
        if !claims.aud.iter().any(|audience| provider.audiences.contains(audience)) {
            return Err(refused("AuthenticationFail.OIDCToken.AudienceNotMatch", "The audience of the OIDC token does not match."));
        }
        if claims.exp <= now.as_second() {
            return Err(refused("AuthenticationFail.OIDCToken.Expired", "The OIDC token has expired."));
        }
        let role = self.roles.iter().find(|role| role.arn == arn).ok_or_else(no_permission)?;
        let trusted = Trust::ServiceAccount { provider: provider_arn, subject: claims.sub };
        if !role.trust.contains(&trusted) {
            return Err(no_permission());
        }
        let duration = duration(&parameters, role)?;
        Ok(self.issue(&arn, &session, duration, now))
    }

    fn with_key(&mut self, request: &RawRequest, now: Timestamp) -> Result<Issued, ApiError> {
        let verified = verify(request, &self.keys, EXPIRY, now)?;
        self.nonces.consume(&verified.key.id, &verified.nonce, Duration::from_secs(31 * 60), now)?;
        if request.version() != VERSION {
            return Err(ApiError::new(400, "InvalidVersion", "Specified parameter Version is not valid."));
        }
        let parameters = request.parameters();
        refuse_unknown(parameters.keys(), &["RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy"])?;
        let arn = parameters.get("RoleArn").cloned().ok_or_else(|| ApiError::missing("RoleArn"))?;
        let session = session_name(&parameters)?;
        let no_role = || ApiError::new(404, "EntityNotExist.Role", "The specified Role not exists.");
        let role = self.roles.iter().find(|role| role.arn == arn).ok_or_else(no_role)?;
        let principal = self.principals.get(&verified.key.id).unwrap_or(&verified.key.id);
        let sent = parameters.get("ExternalId");
        let trusts = |trust: &Trust| match trust {
            Trust::Principal { principal: trusted, external_id } => {
                trusted == principal && external_id.as_ref().is_none_or(|id| Some(id) == sent)
            }
            Trust::ServiceAccount { .. } => false,
        };
        if !role.trust.iter().any(trusts) {
            let message = "You are not authorized to do this action. You should be authorized by RAM.";
            return Err(ApiError::new(403, "NoPermission", message));
        }
        let duration = duration(&parameters, role)?;
        Ok(self.issue(&arn, &session, duration, now))
    }

    fn issue(&mut self, arn: &str, session: &str, duration: Duration, now: Timestamp) -> Issued {
        self.issued += 1;
        let number = format!("{}-{}", self.port, self.issued);
        let end = later(now, self.life.unwrap_or(duration).min(duration));
        // To the second, as it is written.
        let end = Timestamp::from_second(end.as_second()).unwrap_or(end);
        let (id, secret, token) =
            (format!("STS.sandbox-{number}"), format!("sts-secret-canary-{number}"), format!("sts-token-canary-{number}"));
        let key = Key::new(&id, &secret).token(&token).ends_at(end);
        self.keys.push(key.clone());
        self.principals.insert(id.clone(), arn.to_owned());
        let answer = json!({
            "AssumedRoleUser": {
                "Arn": format!("{}/{session}", arn.replacen(":role/", ":assumed-role/", 1)),
                "AssumedRoleId": format!("300000000000{}:{session}", self.port),
            },
            "Credentials": { "AccessKeyId": id, "AccessKeySecret": secret, "SecurityToken": token, "Expiration": end.to_string() },
        });
        Issued { key, answer }
    }
}

/// The action, wherever it stands: the unsigned call has it in the query.
pub(super) fn action(request: &RawRequest) -> String {
    let of_query = || request.query_pairs().into_iter().find(|(name, _)| name == "Action").map(|(_, value)| value);
    match request.signature_version() {
        SignatureVersion::V1 => request.action(),
        SignatureVersion::V3 => Some(request.action()).filter(|action| !action.is_empty()).or_else(of_query).unwrap_or_default(),
    }
}

fn refuse_unknown<'a>(names: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<(), ApiError> {
    match names.into_iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(ApiError::new(400, "UnsupportedParameter", format!("The parameter {name} is not supported."))),
        None => Ok(()),
    }
}

fn session_name(parameters: &BTreeMap<String, String>) -> Result<String, ApiError> {
    let name = parameters.get("RoleSessionName").cloned().ok_or_else(|| ApiError::missing("RoleSessionName"))?;
    let good = (2..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ".@-_".contains(c));
    if good {
        Ok(name)
    } else {
        Err(ApiError::new(400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed."))
    }
}

/// Its JSON is read, and not what it allows: the simulated RDS endpoint knows no policies.
fn policy(parameters: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let Some(text) = parameters.get("Policy") else { return Ok(()) };
    if text.chars().count() > 2048 {
        return Err(ApiError::new(400, "InvalidParameter.PolicySize", "The size of Policy must be smaller than 2048 bytes."));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Ok(()),
        _ => Err(ApiError::new(400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.")),
    }
}

fn duration(parameters: &BTreeMap<String, String>, role: &Role) -> Result<Duration, ApiError> {
    let wrong = || ApiError::new(400, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/the role's.");
    policy(parameters)?;
    let seconds = match parameters.get("DurationSeconds") {
        Some(text) => text.parse().map_err(|_| wrong())?,
        None => 3600,
    };
    let asked = Duration::from_secs(seconds);
    if seconds < SHORTEST || asked > role.longest_session { Err(wrong()) } else { Ok(asked) }
}
