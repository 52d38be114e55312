//! The two calls that give out keys.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::error::{StsError, StsErrorKind};
use crate::rpc::{self, Api, ClientError, Credentials, Endpoint, Response};

const API: Api =
    Api { product: "Sts", version: "2015-04-01", used: &["Credentials", "AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"] };

/// What both calls ask of a session of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `RoleSessionName`: shown in the cloud's audit log.
    pub name: String,
    /// `DurationSeconds`: how long its key lives.
    pub duration_seconds: u32,
    /// `Policy`: what is left of the role's rights.
    pub policy: Option<String>,
}

impl Session {
    fn params(&self) -> Vec<(String, String)> {
        let Self { name, duration_seconds, policy } = self;
        let mut params = vec![pair("RoleSessionName", name), pair("DurationSeconds", &duration_seconds.to_string())];
        params.extend(policy.as_ref().map(|policy| pair("Policy", policy)));
        params
    }
}

/// What AssumeRoleWithOIDC is asked.
pub struct AssumeRoleWithOidc<'a> {
    /// `RoleArn`
    pub role_arn: &'a str,
    /// `OIDCProviderArn`
    pub provider_arn: &'a str,
    /// `OIDCToken`: the proof.
    pub token: &'a SecretString,
    /// The session.
    pub session: &'a Session,
}

/// What AssumeRole is asked.
pub struct AssumeRole<'a> {
    /// `RoleArn`
    pub role_arn: &'a str,
    /// The session.
    pub session: &'a Session,
    /// `ExternalId`: what the role's trust policy may ask for.
    pub external_id: Option<&'a str>,
}

/// A client of STS.
pub struct Client(rpc::Client);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Client {
    /// Sets up a client. It sends nothing.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(options: rpc::ClientOptions) -> Result<Self, ClientError> {
        Ok(Self(rpc::Client::new(API, options)?))
    }

    /// The service's time, as far as it is known.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Where it is.
    pub fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    /// AssumeRoleWithOIDC. The token is the proof, so the request is not signed.
    /// <https://help.aliyun.com/document_detail/371868.html>
    ///
    /// # Errors
    /// There is no key.
    pub async fn assume_role_with_oidc(&self, request: &AssumeRoleWithOidc<'_>) -> Result<Credentials, StsError> {
        let AssumeRoleWithOidc { role_arn, provider_arn, token, session } = request;
        let token = token.expose_secret();
        let mut params = vec![pair("RoleArn", role_arn), pair("OIDCProviderArn", provider_arn), pair("OIDCToken", token)];
        params.extend(session.params());
        read(self.0.call_without_signature("AssumeRoleWithOIDC", &params, &[token]).await?)
    }

    /// AssumeRole, signed with another key. <https://help.aliyun.com/document_detail/371864.html>
    ///
    /// # Errors
    /// There is no key.
    pub async fn assume_role(&self, credentials: &Credentials, request: &AssumeRole<'_>) -> Result<Credentials, StsError> {
        let AssumeRole { role_arn, session, external_id } = request;
        let mut params = vec![pair("RoleArn", role_arn)];
        params.extend(session.params());
        params.extend(external_id.map(|id| pair("ExternalId", id)));
        read(self.0.call("AssumeRole", &params, credentials, &self.0.stamp()).await?)
    }
}

fn read(mut response: Response) -> Result<Credentials, StsError> {
    if let Some(error) = response.error {
        return Err(StsError::Refused { kind: StsErrorKind::of(&error), error, retry_after: response.retry_after });
    }
    let is_success = response.is_success();
    let found = response.body.as_mut().filter(|_| is_success).and_then(|body| body.get_mut("Credentials")).map(serde_json::Value::take);
    let key = found.and_then(Credentials::of_answer);
    key.ok_or_else(|| StsError::Unavailable(format!("status {} with {} bytes that hold no key", response.status, response.bytes)))
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::BoxFuture;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::{
        clock::Clock,
        rpc::{ClientOptions, Failure, HttpRequest, HttpResponse, HttpTransport, SignatureVersion},
    };

    const TOKEN: &str = "header-of-the-test.payload.signature";

    /// Answers every request alike, and keeps it.
    struct Answering(u16, String, Mutex<Vec<HttpRequest>>);

    impl HttpTransport for Answering {
        fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
            self.2.lock().unwrap().push(request);
            let headers = HeaderMap::from_iter([("date".parse().unwrap(), "Sun, 01 Mar 2026 13:00:00 GMT".parse().unwrap())]);
            let answer = HttpResponse { status: self.0, headers, body: self.1.clone().into_bytes(), received: at("2026-03-01T12:00:00Z") };
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn client(status: u16, body: &str, signature: SignatureVersion) -> (Client, Arc<Answering>) {
        let transport = Arc::new(Answering(status, body.to_owned(), Mutex::default()));
        let clock = Clock::new(|| at("2026-03-01T12:00:00.7Z"));
        let options = ClientOptions {
            signature,
            transport: Some(transport.clone()),
            ..ClientOptions::new(Endpoint::parse("https://sts.example").unwrap(), clock, Arc::new(|| "nonce-of-the-test".to_owned()))
        };
        (Client::new(options).unwrap(), transport)
    }

    const GOOD: &str = r#"{"RequestId": "R-1", "AssumedRoleUser": {"Arn": "acs:ram::1:role/r/s"}, "Credentials": {
        "AccessKeyId": "STS.id", "AccessKeySecret": "secret", "SecurityToken": "token", "Expiration": "2026-03-01T14:00:00Z"}}"#;

    fn session(policy: Option<&str>) -> Session {
        Session { name: "session-1".into(), duration_seconds: 3600, policy: policy.map(str::to_owned) }
    }

    async fn with_oidc(client: &Client) -> Result<Credentials, StsError> {
        let token = TOKEN.to_owned().into();
        let request = AssumeRoleWithOidc {
            role_arn: "acs:ram::1:role/backup",
            provider_arn: "acs:ram::1:oidc-provider/ack",
            token: &token,
            session: &session(None),
        };
        client.assume_role_with_oidc(&request).await
    }

    #[tokio::test]
    async fn the_token_travels_in_the_form_and_nothing_is_signed() {
        let (client, transport) = client(200, GOOD, SignatureVersion::V3);
        let key = with_oidc(&client).await.unwrap();
        assert_eq!((key.access_key_id.as_str(), key.expires_at), ("STS.id", Some(at("2026-03-01T14:00:00Z"))));
        assert_eq!(key.security_token.unwrap().expose_secret(), "token");
        let sent = transport.2.lock().unwrap();
        assert_eq!(
            sent[0].url.as_str(),
            "https://sts.example/?Action=AssumeRoleWithOIDC&Format=JSON&Timestamp=2026-03-01T12%3A00%3A00Z&Version=2015-04-01"
        );
        assert_eq!(
            sent[0].body,
            "DurationSeconds=3600&OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Fack&OIDCToken=header-of-the-test.payload.signature&\
             RoleArn=acs%3Aram%3A%3A1%3Arole%2Fbackup&RoleSessionName=session-1"
        );
        assert!(sent[0].headers.get("authorization").is_none() && !sent[0].body.contains("Signature="));
        assert_eq!(sent[0].headers["content-type"], "application/x-www-form-urlencoded");
        assert!(
            (at("2026-03-01T13:00:00Z")..at("2026-03-01T13:00:02Z")).contains(&client.now()),
            "by the service's Date: {}",
            client.now()
        );
    }

    #[tokio::test]
    async fn another_key_signs_in_both_versions() {
        let signer = Credentials {
            access_key_id: "LTAI-of-the-test".into(),
            access_key_secret: "secret-of-the-test".to_owned().into(),
            security_token: None,
            expires_at: None,
        };
        let session = Session { duration_seconds: 900, ..session(Some(r#"{"Version": "1"}"#)) };
        let request = AssumeRole { role_arn: "acs:ram::2:role/backup", session: &session, external_id: Some("team a") };
        for version in [SignatureVersion::V1, SignatureVersion::V3] {
            let (client, transport) = client(200, GOOD, version);
            client.assume_role(&signer, &request).await.unwrap();
            let sent = transport.2.lock().unwrap();
            let all = format!("{}{}", sent[0].url, sent[0].body);
            assert!(all.contains("ExternalId=team%20a") && all.contains("RoleArn=acs%3Aram%3A%3A2%3Arole%2Fbackup"), "{all}");
            assert!(all.contains("DurationSeconds=900") && all.contains("Policy=%7B%22Version%22%3A%20%221%22%7D"), "{all}");
            assert_eq!(all.contains("Signature="), version == SignatureVersion::V1);
            assert_eq!(sent[0].headers.contains_key("authorization"), version == SignatureVersion::V3);
        }
    }

    #[tokio::test]
    async fn an_error_never_repeats_the_token() {
        let body =
            format!(r#"{{"RequestId": "R-1", "Code": "AuthenticationFail.OIDCToken.Invalid", "Message": "bad token {TOKEN} here"}}"#);
        let error = with_oidc(&client(401, &body, SignatureVersion::V3).0).await.unwrap_err();
        let StsError::Refused { kind, error, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*kind, error.message.as_str()), (StsErrorKind::TokenInvalid, "bad token (hidden) here"));
    }

    #[tokio::test]
    async fn an_answer_without_a_whole_key_is_none() {
        for wrong in [
            "{}",
            r#"{"Credentials": {}}"#,
            &GOOD.replace("2026-03-01T14:00:00Z", "soon"),
            &GOOD.replace("\"Expiration\"", "\"Ende\""),
            &GOOD.replace("\"token\"", "\"\""),
            &GOOD.replace("\"secret\"", "\"se cret\""),
            "<html>",
        ] {
            let error = with_oidc(&client(200, wrong, SignatureVersion::V3).0).await.unwrap_err();
            assert!(matches!(&error, StsError::Unavailable(why) if why.contains("no key")), "{wrong}: {error:?}");
        }
    }
}
