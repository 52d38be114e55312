//! The profile file of the official clients (`~/.alibabacloud/credentials`): sections with `key = value` lines.

use std::collections::BTreeMap;

use super::{
    profile::{self, Exchanged, Profile, ProfileError, StsPlace, given, shown},
    rrsa::TokenProof,
};

/// The section that is read where no name is given.
pub(super) const DEFAULT: &str = "default";

/// The lines of a section by their keys. It is never shown: there are keys in it.
type Section = BTreeMap<String, String>;

/// The profile of this name; none if the file has no section of this name.
pub(super) fn read(text: &[u8], name: &str) -> Result<Option<Profile>, ProfileError> {
    let text = std::str::from_utf8(text).map_err(|_| ProfileError("it is no text".to_owned()))?;
    let Some(section) = sections(text)?.remove(name) else { return Ok(None) };
    let value = |name: &str| section.get(name).map(String::as_str);
    let kind = value("type").unwrap_or_default();
    let key = || profile::key(value("access_key_id"), value("access_key_secret"), None);
    let session = || profile::session(("role_session_name", value("role_session_name")), ("", None), value("policy"), StsPlace::default());
    let found = match kind {
        "access_key" => key(),
        "ram_role_arn" => role(key, session, value("role_arn")),
        "ecs_ram_role" => profile::node("role_name", value("role_name")),
        "oidc_role_arn" => token(&section, session),
        "rsa_key_pair" => {
            Err(ProfileError("this type is not supported: its key is one of a session. Use access_key or ram_role_arn".to_owned()))
        }
        "" => Err(ProfileError("it has no type".to_owned())),
        _ => Err(ProfileError(
            "the operator does not know this type. Use access_key, ram_role_arn, ecs_ram_role or oidc_role_arn".to_owned(),
        )),
    };
    found.map(Some).map_err(|error| ProfileError(format!("profile {} (type {}): {}", shown(name), shown(kind), error.0)))
}

fn role(
    key: impl Fn() -> Result<Profile, ProfileError>,
    session: impl Fn() -> Result<profile::ProfileSession, ProfileError>,
    arn: Option<&str>,
) -> Result<Profile, ProfileError> {
    let base = Box::new(key()?);
    let arn = profile::role_arn("role_arn", arn)?;
    Ok(Profile::Exchanged(Exchanged::Role { arn, external_id: None, session: session()?, base }))
}

fn token(section: &Section, session: impl Fn() -> Result<profile::ProfileSession, ProfileError>) -> Result<Profile, ProfileError> {
    let value = |name: &str| section.get(name).map(String::as_str);
    let proof = TokenProof {
        role_arn: profile::role_arn("role_arn", value("role_arn"))?,
        provider_arn: profile::required("oidc_provider_arn", value("oidc_provider_arn"))?,
        token_file: profile::required("oidc_token_file_path", value("oidc_token_file_path"))?,
    };
    Ok(Profile::Exchanged(Exchanged::Token { proof, session: session()? }))
}

fn sections(text: &str) -> Result<BTreeMap<String, Section>, ProfileError> {
    let mut sections = BTreeMap::<String, Section>::new();
    let mut current = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(sections.entry(name.trim().to_owned()).or_default());
            continue;
        }
        match (line.split_once('='), &mut current) {
            (Some((key, value)), Some(section)) => {
                if let Some(value) = given(Some(value)) {
                    section.insert(key.trim().to_owned(), value.to_owned());
                }
            }
            _ => {
                let line = number.saturating_add(1);
                return Err(ProfileError(format!("line {line} is neither [NAME] nor KEY = VALUE below one")));
            }
        }
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# of the test
[default]
enable = true
type = access_key
access_key_id = LTAI-of-test
access_key_secret = secret-of-test==

; another one
[role]
type=ram_role_arn
access_key_id=LTAI-of-test
access_key_secret=secret-of-test==
role_arn = acs:ram::1:role/backup
role_session_name = team-a
policy = {\"Version\": \"1\"}
[node]
type = ecs_ram_role
role_name = node-role
[pod]
type = oidc_role_arn
role_arn = acs:ram::1:role/backup
oidc_provider_arn = acs:ram::1:oidc-provider/ack
oidc_token_file_path = /token
[rsa]
type = rsa_key_pair
[no]
type = canary type
[lacks]
type = access_key
access_key_secret = canary
";

    #[test]
    fn each_type_that_is_supported_says_where_its_key_comes_from() {
        let of = |name: &str| read(FILE.as_bytes(), name).unwrap();
        let Some(key @ Profile::Key(_)) = of("default") else { panic!("no key") };
        let Some(Profile::Exchanged(Exchanged::Role { arn, session, base, external_id: None })) = of("role") else { panic!("no role") };
        assert_eq!((arn.as_str(), session.name.as_deref()), ("acs:ram::1:role/backup", Some("team-a")));
        assert_eq!(session.policy.as_deref(), Some(r#"{"Version": "1"}"#));
        assert!(*base == key);
        assert_eq!(of("node"), Some(Profile::Exchanged(Exchanged::Node { role: Some("node-role".into()) })));
        assert!(matches!(of("pod"), Some(Profile::Exchanged(Exchanged::Token { proof, .. })) if proof.token_file == "/token"));
        assert_eq!(of("nobody"), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_of_the_file_is_repeated() {
        for (name, words) in [
            ("rsa", "profile rsa (type rsa_key_pair): this type is not supported"),
            ("no", "(type (hidden)): the operator does not know this type"),
            ("lacks", "its access_key_id is missing or empty"),
        ] {
            let said = read(FILE.as_bytes(), name).unwrap_err().0;
            assert!(said.contains(words) && !said.contains("canary"), "{name}: {said}");
        }
        for text in ["type = canary", "[default]\n\ncanary"] {
            let said = read(text.as_bytes(), DEFAULT).unwrap_err().0;
            assert!(said.contains(&format!("line {} is neither", text.lines().count())) && !said.contains("canary"), "{said}");
        }
    }
}
