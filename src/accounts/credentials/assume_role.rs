//! AssumeRole: the key of another account, exchanged for a temporary key of a RAM role, in the same cloud account or in another.

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    error::{CredentialsError, NotGiven},
    exchange::{Exchange, Proof},
    refresh::TemporarySource,
    source::Source,
};
use crate::{
    rpc::Credentials,
    sts::{AssumeRole, Client, Session, StsError, StsErrorKind},
};

/// The role, and whose key it is assumed with.
pub(super) struct AssumedRole {
    name: String,
    role: RoleToAssume,
    /// Whose key it is, as messages name it: `account hub`.
    from: String,
    base: Source,
    sts: Client,
}

/// What is asked for.
pub(super) struct RoleToAssume {
    pub arn: String,
    pub external_id: Option<String>,
    pub session: Session,
}

impl AssumedRole {
    pub fn new(role: RoleToAssume, from: String, base: Source, sts: Client) -> Self {
        Self { name: format!("AssumeRole (role {}, from {from})", role.arn), role, from, base, sts }
    }

    async fn exchange(&self) -> Result<Credentials, CredentialsError> {
        let key = self.base_key().await?;
        let refused = match self.assume(&key).await {
            Ok(credentials) => return Ok(credentials),
            Err(error) if refuses_the_key(&error) => error,
            Err(error) => return Err(self.told(&error)),
        };
        // It may have been rotated while we used the old one.
        self.base.forget(&key).await;
        let renewed = self.base_key().await?;
        if renewed.is(&key) {
            return Err(self.told(&refused));
        }
        self.assume(&renewed).await.map_err(|error| self.told(&error))
    }

    async fn base_key(&self) -> Result<Credentials, CredentialsError> {
        let Self { name, from, .. } = self;
        let lacks = |error: CredentialsError| NotGiven::because_of(&error, format!("{name}: {from} has no key: {error}"));
        self.base.get().await.map_err(|error| lacks(error).into())
    }

    async fn assume(&self, key: &Credentials) -> Result<Credentials, StsError> {
        let RoleToAssume { arn, external_id, session } = &self.role;
        self.sts.assume_role(key, &AssumeRole { role_arn: arn, session, external_id: external_id.as_deref() }).await
    }

    fn told(&self, error: &StsError) -> CredentialsError {
        let Self { name, role, from, sts, .. } = self;
        Exchange { source: name, role_arn: &role.arn, endpoint: sts.endpoint(), proof: Proof::Key { of: from } }.error(error)
    }
}

fn refuses_the_key(error: &StsError) -> bool {
    matches!(error, StsError::Refused { kind: StsErrorKind::KeyRefused, .. } | StsError::Unusable(_))
}

impl TemporarySource for AssumedRole {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(self.exchange())
    }

    fn now(&self) -> Timestamp {
        self.sts.now()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "AssumeRole"
    }
}
