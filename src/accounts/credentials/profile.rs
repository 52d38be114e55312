//! What a profile of a file of the official tools says: where its key comes from. Both kinds of files come down to this.

use super::{
    parts::{self, PartError},
    rrsa::TokenProof,
};
use crate::{accounts::credentials_settings as rules, rpc::Credentials};

/// A profile that the operator can use.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Profile {
    /// A key.
    Key(ProfileKey),
    /// A key that is exchanged for something.
    Exchanged(Exchanged),
}

/// What a key is exchanged for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Exchanged {
    /// A role that is assumed with the key of another profile, or with one that stands beside it.
    Role { arn: String, external_id: Option<String>, session: ProfileSession, base: Box<Profile> },
    /// A role for a token.
    Token { proof: TokenProof, session: ProfileSession },
    /// The role of the node; none: the one that the metadata service names.
    Node { role: Option<String> },
}

/// A key, which is another one if it is no longer the same.
#[derive(Clone, Debug)]
pub(super) struct ProfileKey(pub Credentials);

impl PartialEq for ProfileKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&other.0)
    }
}

/// The session of a role, and where STS is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProfileSession {
    pub name: Option<String>,
    pub duration_seconds: Option<u32>,
    pub policy: Option<String>,
    pub sts: StsPlace,
}

/// Which of the hosts of STS is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StsPlace {
    pub region: Option<String>,
    /// The one in the region's own network.
    pub vpc: bool,
}

/// What is wrong with a profile, in words that follow its name. They never hold what is in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProfileError(pub String);

/// The names of a profile's parts of a key.
const KEY_ID: &str = "access_key_id";
const KEY_SECRET: &str = "access_key_secret";

/// The profile's own key, whose token is called so if it has one.
pub(super) fn key(id: Option<&str>, secret: Option<&str>, token: Option<(&'static str, Option<&str>)>) -> Result<Profile, ProfileError> {
    let (token_name, token) = token.unwrap_or(("", None));
    let lookup = |name: &'static str| {
        let value = match name {
            KEY_ID => id,
            KEY_SECRET => secret,
            _ => token,
        };
        value.map(|value| value.as_bytes().to_vec().into())
    };
    let found = parts::credentials([KEY_ID, KEY_SECRET, token_name], lookup).map_err(|error| match error {
        PartError::Missing(name) => missing(name),
        PartError::Unusable(name) => ProfileError(format!("its {name} has a blank or another character in it that no access key has")),
    })?;
    if !token_name.is_empty() && found.security_token.is_none() {
        return Err(missing(token_name));
    }
    Ok(Profile::Key(ProfileKey(found)))
}

/// A part that a profile must have.
pub(super) fn required(name: &str, value: Option<&str>) -> Result<String, ProfileError> {
    given(value).map(str::to_owned).ok_or_else(|| missing(name))
}

/// The role's ARN.
pub(super) fn role_arn(name: &str, value: Option<&str>) -> Result<String, ProfileError> {
    let arn = required(name, value)?;
    if rules::is_role_arn(&arn) { Ok(arn) } else { Err(ProfileError(format!("its {name} is not the ARN of a RAM role"))) }
}

/// The name of a node's role.
pub(super) fn node(name: &str, value: Option<&str>) -> Result<Profile, ProfileError> {
    match given(value) {
        Some(role) if !rules::is_role_name(role) => Err(ProfileError(format!("its {name} is not the name of a RAM role"))),
        role => Ok(Profile::Exchanged(Exchanged::Node { role: role.map(str::to_owned) })),
    }
}

/// What is asked for a session; each value with the name that it has in the file.
pub(super) fn session(
    (name_name, name): (&str, Option<&str>),
    (duration_name, duration): (&str, Option<u32>),
    policy: Option<&str>,
    sts: StsPlace,
) -> Result<ProfileSession, ProfileError> {
    let (name, policy) = (given(name), given(policy));
    // The tools write 0 where nothing was said.
    let duration = duration.filter(|seconds| *seconds != 0);
    if name.is_some_and(|name| !rules::is_session_name(name)) {
        return Err(ProfileError(format!("its {name_name} is not 2 to 64 letters, digits and . @ _ -")));
    }
    if duration.is_some_and(|seconds| !rules::is_duration(seconds)) {
        return Err(ProfileError(format!("its {duration_name} is not 900 to 43200")));
    }
    if policy.is_some_and(|policy| !rules::is_policy(policy)) {
        return Err(ProfileError("its policy is not a JSON object of at most 2048 characters".to_owned()));
    }
    Ok(ProfileSession { name: name.map(str::to_owned), duration_seconds: duration, policy: policy.map(str::to_owned), sts })
}

/// The external id.
pub(super) fn external_id(value: Option<&str>) -> Result<Option<String>, ProfileError> {
    match given(value) {
        Some(id) if !rules::is_external_id(id) => Err(ProfileError("its external_id is not 2 to 1224 characters".to_owned())),
        id => Ok(id.map(str::to_owned)),
    }
}

/// The text, unless it is empty.
pub(super) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// A name of a file, to stand in a message: what is no name is not repeated.
pub(super) fn shown(name: &str) -> &str {
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_name { name } else { "(hidden)" }
}

fn missing(name: &str) -> ProfileError {
    ProfileError(format!("its {name} is missing or empty"))
}
