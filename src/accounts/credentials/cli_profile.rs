//! The configuration file of the cloud's command line tool (`~/.aliyun/config.json`).

use serde::Deserialize;

use super::{
    profile::{self, Exchanged, Profile, ProfileError, StsPlace, given, shown},
    rrsa::TokenProof,
};

/// How many profiles may follow one another by `source_profile`.
const DEEPEST: usize = 3;

/// It has no `Debug`: there are keys in it.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    current: Option<String>,
    #[serde(default)]
    profiles: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: String,
    mode: String,
    access_key_id: Option<String>,
    access_key_secret: Option<String>,
    sts_token: Option<String>,
    ram_role_arn: Option<String>,
    ram_session_name: Option<String>,
    /// As the Python client calls it.
    role_session_name: Option<String>,
    expired_seconds: Option<u32>,
    sts_region: Option<String>,
    enable_vpc: Option<bool>,
    policy: Option<String>,
    external_id: Option<String>,
    ram_role_name: Option<String>,
    oidc_token_file: Option<String>,
    oidc_provider_arn: Option<String>,
    source_profile: Option<String>,
}

/// The profile of this name, else the current one, with its name; none if the file has no profile of this name.
pub(super) fn read(text: &[u8], wanted: Option<&str>) -> Result<Option<(String, Profile)>, ProfileError> {
    // The error's own text would repeat values of the file.
    let file: File = serde_json::from_slice(text).map_err(|error| {
        ProfileError(format!("it is not the JSON that the tool writes: line {}, column {}", error.line(), error.column()))
    })?;
    let name = match (wanted, given(file.current.as_deref())) {
        (Some(name), _) => name,
        (None, Some(current)) => current,
        (None, None) => return Err(ProfileError("it names no current profile. Set ALIBABA_CLOUD_PROFILE".to_owned())),
    };
    match file.named(name) {
        Some(entry) => file.profile(entry, &mut vec![name]).map(|profile| Some((name.to_owned(), profile))),
        None if wanted.is_some() => Ok(None),
        None => Err(ProfileError(format!("it has no profile {}, which it calls current", shown(name)))),
    }
}

impl File {
    fn named(&self, name: &str) -> Option<&Entry> {
        self.profiles.iter().find(|entry| entry.name == name)
    }

    /// `chain`: the names of the profiles that lead here.
    fn profile<'a>(&'a self, entry: &'a Entry, chain: &mut Vec<&'a str>) -> Result<Profile, ProfileError> {
        let Entry { access_key_id: id, access_key_secret: secret, .. } = entry;
        let own_key = |token| profile::key(id.as_deref(), secret.as_deref(), token);
        let of_entry =
            |error: ProfileError| ProfileError(format!("profile {} (mode {}): {}", shown(&entry.name), shown(&entry.mode), error.0));
        let found = match entry.mode.as_str() {
            "AK" => own_key(None),
            "StsToken" => own_key(Some(("sts_token", entry.sts_token.as_deref()))),
            "RamRoleArn" => own_key(None).and_then(|base| entry.role(base)),
            "EcsRamRole" => profile::node("ram_role_name", entry.ram_role_name.as_deref()),
            "OIDC" => entry.token(),
            // Its errors name the profile that they are about.
            "ChainableRamRoleArn" => {
                let base = self.source(entry, chain).map_err(of_entry)?;
                let base = self.profile(base, chain)?;
                entry.role(base)
            }
            "" => Err(ProfileError("it has no mode".to_owned())),
            "External" => Err(refused("it runs a program")),
            "CloudSSO" | "OAuth" => Err(refused("it needs a person with a browser, and writes tokens into the file")),
            "CredentialsURI" => Err(ProfileError("give the account credentials of type CredentialsURI instead".to_owned())),
            _ => Err(refused("the operator does not know it")),
        };
        found.map_err(of_entry)
    }

    fn source<'a>(&'a self, entry: &'a Entry, chain: &mut Vec<&'a str>) -> Result<&'a Entry, ProfileError> {
        let source =
            given(entry.source_profile.as_deref()).ok_or_else(|| ProfileError("its source_profile is missing or empty".to_owned()))?;
        let is_circle = chain.contains(&source);
        chain.push(source);
        let names = || chain.iter().map(|name| shown(name)).collect::<Vec<_>>().join(" -> ");
        if is_circle {
            return Err(ProfileError(format!("its source_profile makes a circle, {}", names())));
        }
        if chain.len() > DEEPEST + 1 {
            return Err(ProfileError(format!("more than {DEEPEST} roles one after the other, {}", names())));
        }
        self.named(source).ok_or_else(|| ProfileError(format!("the file has no profile {}, its source_profile", shown(source))))
    }
}

impl Entry {
    fn session(&self) -> Result<profile::ProfileSession, ProfileError> {
        let name = self.ram_session_name.as_deref().or(self.role_session_name.as_deref());
        let sts = StsPlace { region: given(self.sts_region.as_deref()).map(str::to_owned), vpc: self.enable_vpc == Some(true) };
        profile::session(("ram_session_name", name), ("expired_seconds", self.expired_seconds), self.policy.as_deref(), sts)
    }

    fn role(&self, base: Profile) -> Result<Profile, ProfileError> {
        Ok(Profile::Exchanged(Exchanged::Role {
            arn: profile::role_arn("ram_role_arn", self.ram_role_arn.as_deref())?,
            external_id: profile::external_id(self.external_id.as_deref())?,
            session: self.session()?,
            base: Box::new(base),
        }))
    }

    fn token(&self) -> Result<Profile, ProfileError> {
        let proof = TokenProof {
            role_arn: profile::role_arn("ram_role_arn", self.ram_role_arn.as_deref())?,
            provider_arn: profile::required("oidc_provider_arn", self.oidc_provider_arn.as_deref())?,
            token_file: profile::required("oidc_token_file", self.oidc_token_file.as_deref())?,
        };
        Ok(Profile::Exchanged(Exchanged::Token { proof, session: self.session()? }))
    }
}

fn refused(why: &str) -> ProfileError {
    ProfileError(format!("this mode is not for an operator: {why}. Use a profile of mode AK, StsToken, RamRoleArn, EcsRamRole or OIDC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "acs:ram::1:role/backup";

    fn file(profiles: &str) -> String {
        format!(r#"{{ "current": "c", "profiles": [{profiles}], "meta_path": "" }}"#)
    }

    fn found(profiles: &str) -> Result<Profile, String> {
        read(file(profiles).as_bytes(), None).map(|found| found.expect("the current one").1).map_err(|error| error.0)
    }

    fn wrong(profiles: &str) -> String {
        found(profiles).expect_err(profiles)
    }

    #[test]
    fn each_mode_that_is_supported_says_where_its_key_comes_from() {
        let ak = r#""access_key_id": "LTAI-of-test", "access_key_secret": "secret-of-test""#;
        let key = found(&format!(r#"{{ "name": "c", "mode": "AK", {ak}, "region_id": "cn-x", "output_format": "json" }}"#)).unwrap();
        assert_eq!(key_of(&key), ("LTAI-of-test", false));
        let sts = found(&format!(r#"{{ "name": "c", "mode": "StsToken", {ak}, "sts_token": "token-of-test" }}"#)).unwrap();
        assert_eq!(key_of(&sts), ("LTAI-of-test", true));

        let more = r#""ram_session_name": "team-a", "expired_seconds": 900, "sts_region": "cn-beijing", "enable_vpc": true,
            "policy": "{\"Version\":\"1\"}", "external_id": "xy""#;
        let role = found(&format!(r#"{{ "name": "c", "mode": "RamRoleArn", {ak}, "ram_role_arn": "{ROLE}", {more} }}"#)).unwrap();
        let Profile::Exchanged(Exchanged::Role { arn, external_id, session, base }) = role else { panic!("no role") };
        assert_eq!((arn.as_str(), external_id.as_deref()), (ROLE, Some("xy")));
        assert_eq!((session.name.as_deref(), session.duration_seconds), (Some("team-a"), Some(900)));
        assert_eq!(session.policy.as_deref(), Some(r#"{"Version":"1"}"#));
        assert_eq!(session.sts, StsPlace { region: Some("cn-beijing".into()), vpc: true });
        assert!(*base == key);

        assert_eq!(
            found(r#"{ "name": "c", "mode": "EcsRamRole", "ram_role_name": "" }"#),
            Ok(Profile::Exchanged(Exchanged::Node { role: None }))
        );
        let oidc = r#""oidc_token_file": "/token", "oidc_provider_arn": "acs:ram::1:oidc-provider/ack""#;
        let token =
            found(&format!(r#"{{ "name": "c", "mode": "OIDC", {oidc}, "ram_role_arn": "{ROLE}", "expired_seconds": 0 }}"#)).unwrap();
        let Profile::Exchanged(Exchanged::Token { proof, session }) = token else { panic!("no token") };
        assert_eq!((proof.token_file.as_str(), session.duration_seconds), ("/token", None));
        let chain = format!(
            r#"{{ "name": "base", "mode": "AK", {ak} }},
               {{ "name": "c", "mode": "ChainableRamRoleArn", "source_profile": "base", "ram_role_arn": "{ROLE}" }}"#
        );
        assert!(matches!(found(&chain).unwrap(), Profile::Exchanged(Exchanged::Role { base, .. }) if *base == key));
    }

    fn key_of(profile: &Profile) -> (&str, bool) {
        match profile {
            Profile::Key(key) => (&key.0.access_key_id, key.0.security_token.is_some()),
            other => panic!("no key: {other:?}"),
        }
    }

    #[test]
    fn a_profile_is_chosen_by_name_and_one_that_is_not_there_is_none() {
        let both = file(
            r#"{ "name": "c", "mode": "AK", "access_key_id": "c", "access_key_secret": "s" },
               { "name": "d", "mode": "AK", "access_key_id": "d", "access_key_secret": "s" }"#,
        );
        let named = |name: Option<&str>| read(both.as_bytes(), name).unwrap().map(|(name, profile)| (name, key_of(&profile).0.to_owned()));
        assert_eq!(named(None), Some(("c".into(), "c".into())));
        assert_eq!(named(Some("d")), Some(("d".into(), "d".into())));
        assert_eq!(named(Some("e")), None);
    }

    #[test]
    fn what_is_refused_is_named_and_nothing_of_the_file_is_repeated() {
        for (mode, words) in [
            ("External", "mode External): this mode is not for an operator: it runs a program"),
            ("CloudSSO", "mode CloudSSO): this mode is not for an operator: it needs a person"),
            ("OAuth", "mode OAuth): this mode"),
            ("CredentialsURI", "credentials of type CredentialsURI"),
            ("RsaKeyPair", "mode RsaKeyPair): this mode is not for an operator: the operator does not know it"),
            ("", "it has no mode"),
            ("canary secret", "mode (hidden))"),
            ("AK", "its access_key_id is missing or empty"),
            ("OIDC", "its ram_role_arn is missing"),
        ] {
            let said =
                wrong(&format!(r#"{{ "name": "c", "mode": "{mode}", "access_key_secret": "canary", "process_command": "canary" }}"#));
            assert!(said.starts_with("profile c (mode ") && said.contains(words) && !said.contains("canary"), "{mode}: {said}");
        }
        let role = |more: &str| {
            wrong(&format!(
                r#"{{ "name": "c", "mode": "RamRoleArn", "access_key_id": "i", "access_key_secret": "canary", "ram_role_arn": "{ROLE}", {more} }}"#
            ))
        };
        for (more, words) in [
            (r#""ram_session_name": "canary canary""#, "its ram_session_name is not"),
            (r#""expired_seconds": 60"#, "its expired_seconds is not 900 to 43200"),
            (r#""policy": "canary""#, "its policy is not a JSON object"),
            (r#""external_id": "c""#, "its external_id"),
        ] {
            let said = role(more);
            assert!(said.contains(words) && !said.contains("canary"), "{more}: {said}");
        }
        for (text, words) in [
            (r#"{"current": "c", "profiles": [{"name": "canary""#.to_owned(), "line 1, column"),
            (r#"{"current": "c", "profiles": "canary"}"#.to_owned(), "line 1, column"),
            (file(r#"{ "name": "d" }"#), "it has no profile c, which it calls current"),
            ("{}".to_owned(), "it names no current profile"),
        ] {
            let said = read(text.as_bytes(), None).unwrap_err().0;
            assert!(said.contains(words) && !said.contains("canary"), "{text}: {said}");
        }
    }

    #[test]
    fn circles_and_long_chains_of_profiles_are_refused() {
        let chained = |name: &str, source: &str| {
            format!(r#"{{ "name": "{name}", "mode": "ChainableRamRoleArn", "source_profile": "{source}", "ram_role_arn": "{ROLE}" }}"#)
        };
        let said = wrong(&[chained("c", "d"), chained("d", "c")].join(","));
        assert!(said.contains("profile d") && said.contains("a circle, c -> d -> c"), "{said}");
        let said = wrong(&[chained("c", "d"), chained("d", "e"), chained("e", "f"), chained("f", "g")].join(","));
        assert!(said.contains("more than 3 roles one after the other, c -> d -> e -> f -> g"), "{said}");
        assert!(wrong(&chained("c", "d")).contains("the file has no profile d, its source_profile"));
    }
}
