//! `Auto` with the files of the official tools: the operator's own sources, over HTTP, against a simulated STS and metadata service.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rds_backup_operator::{
    accounts::{Accounts, ClientDeps, CredentialsError, Sources, Submissions},
    api::Reason,
    clock::Clock,
    config::Config,
    entropy::Entropy,
    rpc::Credentials,
};
use rds_backup_sandbox::{
    metadata::{self, Metadata},
    rds::{Key, OK},
    sts::{Issuer, Options, Provider, Role, Sts, Trust},
};
use secrecy::ExposeSecret;

const ROLE: &str = "acs:ram::1234567890123456:role/backup";
const SPOKE: &str = "acs:ram::6543210987654321:role/backup-spoke";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack";
const SUBJECT: &str = "system:serviceaccount:rds-backup-system:rds-backup-operator";
const AUDIENCE: &str = "sts.aliyuncs.com";

/// A cloud account, and a home directory in which an administrator puts files.
struct Site {
    sts: Sts,
    node: Metadata,
    issuer: Issuer,
    home: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let issuer = Issuer::new("https://oidc.sandbox.example", "secret-of-the-issuer");
        let by_key = |principal: &str| Trust::Principal { principal: principal.into(), external_id: None };
        let by_token = Trust::ServiceAccount { provider: PROVIDER.into(), subject: SUBJECT.into() };
        let options = Options {
            providers: vec![Provider { arn: PROVIDER.into(), issuer: issuer.clone(), audiences: vec![AUDIENCE.into()] }],
            roles: vec![Role::new(ROLE, vec![by_token, by_key("LTAI-file")]), Role::new(SPOKE, vec![by_key(ROLE)])],
            keys: vec![Key::new("LTAI-file", "file-secret-canary")],
            ..Options::default()
        };
        let node = Metadata::start(metadata::Settings::default(), |_| {}).await.expect("a metadata service");
        Self { sts: Sts::start(options).await.expect("STS"), node, issuer, home: tempfile::tempdir().expect("a directory") }
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.home.path().join(path), text);
    }

    fn cli(&self, profiles: &str) {
        self.write(".aliyun/config.json", &format!(r#"{{ "current": "work", "profiles": [{profiles}] }}"#));
    }

    /// The accounts of an operator that starts now with `credentials: { type: Auto }` and these variables.
    fn operator(&self, variables: &[(&'static str, String)]) -> Accounts {
        let mut variables: BTreeMap<&'static str, String> = variables.iter().cloned().collect();
        variables.entry("HOME").or_insert_with(|| self.home.path().display().to_string());
        let text = format!(
            "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: {{ type: Auto }}\n    stsEndpoint: {}\n    \
             metadataEndpoint: {}\n    allow: []\n",
            self.sts.url(),
            self.node.url()
        );
        let settings = Config::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).accounts;
        let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::system(), transport: None };
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("no Secret is asked for"))
        });
        let client = kube::Client::new(service, "ops");
        let sources = Sources::new(client, "ops", move |name| variables.get(name).cloned(), deps.clone());
        Accounts::new(settings, Submissions::Enabled, move |account, tenant| sources.of(account, tenant), deps)
    }

    async fn get(&self) -> Result<Credentials, CredentialsError> {
        get(&self.operator(&[])).await
    }

    /// The key of an operator that starts now; and the calls of STS since the last one.
    async fn key(&self) -> (String, Vec<String>) {
        let before = self.sts.calls().len();
        let key = self.get().await.unwrap_or_else(|error| panic!("{error}")).access_key_id;
        let calls = self.sts.calls().split_off(before);
        assert!(calls.iter().all(|call| call.outcome.as_deref() == Some(OK)), "{calls:?}");
        (key, calls.into_iter().map(|call| format!("{} {} as {}", call.action, call.role_arn, call.session_name)).collect())
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

async fn get(accounts: &Accounts) -> Result<Credentials, CredentialsError> {
    accounts.credentials().await.pop().expect("one account").found
}

const OWN_KEY: &str = r#""access_key_id": "LTAI-file", "access_key_secret": "file-secret-canary""#;

#[tokio::test]
async fn each_mode_of_a_profile_gives_the_key_that_it_says() {
    let site = Site::new().await;
    site.cli(&format!(r#"{{ "name": "work", "mode": "AK", {OWN_KEY} }}"#));
    assert_eq!(site.key().await, ("LTAI-file".to_owned(), Vec::new()));
    site.cli(&format!(r#"{{ "name": "work", "mode": "StsToken", {OWN_KEY}, "sts_token": "file-token-canary" }}"#));
    let key = site.get().await.expect("a key");
    assert_eq!(key.security_token.expect("a token").expose_secret(), "file-token-canary");

    let role =
        |name: &str, more: &str| format!(r#"{{ "name": "{name}", "mode": "RamRoleArn", {OWN_KEY}, "ram_role_arn": "{ROLE}"{more} }}"#);
    site.cli(&role("work", ""));
    let (key, calls) = site.key().await;
    assert!(key.starts_with("STS.sandbox-"), "{key}");
    assert_eq!(calls, [format!("AssumeRole {ROLE} as rds-backup-operator")]);
    site.cli(&role("work", r#", "ram_session_name": "by-file", "expired_seconds": 900, "policy": "{\"Version\": \"1\"}""#));
    assert_eq!(site.key().await.1, [format!("AssumeRole {ROLE} as by-file")]);
    let call = site.sts.calls().pop().expect("a call");
    assert_eq!((call.duration_seconds, call.policy.as_deref()), (Some(900), Some(r#"{"Version": "1"}"#)));

    let spoke = format!(r#"{{ "name": "work", "mode": "ChainableRamRoleArn", "source_profile": "hub", "ram_role_arn": "{SPOKE}" }}"#);
    site.cli(&[role("hub", ""), spoke].join(","));
    let both = [format!("AssumeRole {ROLE} as rds-backup-operator"), format!("AssumeRole {SPOKE} as rds-backup-operator")];
    assert_eq!(site.key().await.1, both);

    site.cli(r#"{ "name": "work", "mode": "EcsRamRole", "ram_role_name": "node-role" }"#);
    assert!(site.key().await.0.starts_with("STS.metadata-"));

    let token = site.issuer.token(SUBJECT, AUDIENCE, site.sts.now() + Duration::from_secs(600));
    site.write("token", &token);
    let file = site.home.path().join("token").display().to_string();
    let oidc = format!(r#""oidc_token_file": "{file}", "oidc_provider_arn": "{PROVIDER}", "ram_role_arn": "{ROLE}""#);
    site.cli(&format!(r#"{{ "name": "work", "mode": "OIDC", {oidc} }}"#));
    assert_eq!(site.key().await.1, [format!("AssumeRoleWithOIDC {ROLE} as rds-backup-operator")]);
    // The same by the variables, before any file.
    let rrsa = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE.to_owned()),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER.to_owned()),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file.clone()),
    ];
    site.cli("no JSON");
    assert!(get(&site.operator(&rrsa)).await.expect("a key").access_key_id.starts_with("STS.sandbox-"));

    std::fs::remove_file(site.home.path().join(".aliyun/config.json")).expect("a file");
    let section = |more: &str| format!("[default]\naccess_key_id = LTAI-file\naccess_key_secret = file-secret-canary\n{more}\n");
    site.write(".alibabacloud/credentials", &section("type = access_key"));
    assert_eq!(site.key().await, ("LTAI-file".to_owned(), Vec::new()));
    site.write(".alibabacloud/credentials", &section(&format!("type = ram_role_arn\nrole_arn = {ROLE}\nrole_session_name = by-ini")));
    assert_eq!(site.key().await.1, [format!("AssumeRole {ROLE} as by-ini")]);
    site.node.update(|settings| settings.ends_lines = true);
    site.write(".alibabacloud/credentials", "[default]\ntype = ecs_ram_role\n");
    assert!(site.key().await.0.starts_with("STS.metadata-"));
    let of_token =
        format!("[default]\ntype = oidc_role_arn\nrole_arn = {ROLE}\noidc_provider_arn = {PROVIDER}\noidc_token_file_path = {file}\n");
    site.write(".alibabacloud/credentials", &of_token);
    assert_eq!(site.key().await.1, [format!("AssumeRoleWithOIDC {ROLE} as rds-backup-operator")]);
}

/// The node has a role all the while, and the second file a key: neither takes the place of what was found.
#[tokio::test]
async fn a_profile_that_fails_says_why_and_no_other_identity_takes_its_place() {
    let site = Site::new().await;
    site.write(
        ".alibabacloud/credentials",
        "[default]\ntype = access_key\naccess_key_id = LTAI-file\naccess_key_secret = file-secret-canary\n",
    );
    let role = |more: &str| format!(r#"{{ "name": "work", "mode": "RamRoleArn", {more} }}"#);
    let invalid = Reason::InvalidCredentials;
    for (profile, reason, words) in [
        (r#"{ "name": "work", "mode": "External", "process_command": "canary" }"#.to_owned(), invalid, "mode External"),
        (r#"{ "name": "work", "mode": "CloudSSO", "access_token": "canary" }"#.to_owned(), invalid, "mode CloudSSO"),
        (r#"{ "name": "work", "mode": "OAuth", "oauth_access_token": "canary" }"#.to_owned(), invalid, "mode OAuth"),
        (role(&format!(r#"{OWN_KEY}, "ram_role_arn": "{SPOKE}""#)), Reason::AccessDenied, "trust policy"),
        (role(&format!(r#"{OWN_KEY}, "ram_role_arn": "acs:ram::1:role/none""#)), invalid, "there is no role acs:ram::1:role/none"),
        (
            role(&format!(r#""access_key_id": "LTAI-file", "access_key_secret": "wrong-canary", "ram_role_arn": "{ROLE}""#)),
            invalid,
            "STS does not accept the key of the profile",
        ),
        (
            format!(
                r#"{{ "name": "work", "mode": "OIDC", "oidc_token_file": "/no/token", "oidc_provider_arn": "{PROVIDER}", "ram_role_arn": "{ROLE}" }}"#
            ),
            Reason::CredentialsNotFound,
            "/no/token cannot be read",
        ),
        (r#"{ "name": "work", "mode": "EcsRamRole", "ram_role_name": "other" }"#.to_owned(), Reason::CredentialsNotFound, "no role other"),
        (
            r#"{ "name": "work", "mode": "AK", "access_key_id": "canary id", "access_key_secret": "canary" }"#.to_owned(),
            invalid,
            "access_key_id",
        ),
    ] {
        site.cli(&profile);
        let error = site.get().await.expect_err(words);
        let said = error.to_string();
        println!("{}: {said}", error.reason().as_str());
        assert!(error.reason() == reason && said.starts_with("Auto") && said.contains(words), "{words}: {said}");
        assert!(said.contains(".aliyun/config.json") && !said.contains("canary"), "{said}");
    }
}

/// As a Secret that is mounted: the file is replaced while the operator runs.
#[tokio::test]
async fn a_file_that_changes_gives_its_new_key_when_the_service_refuses_the_old_one() {
    let site = Site::new().await;
    let with = |id: &str| site.cli(&format!(r#"{{ "name": "work", "mode": "AK", "access_key_id": "{id}", "access_key_secret": "s" }}"#));
    with("LTAI-old");
    let text = "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: { type: Auto }\n    \
                allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]\n";
    let accounts = site.operator(&[]);
    accounts.replace(Config::parse(text).expect("a configuration").accounts, Submissions::Enabled);
    let spec = serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-1" })).expect("a spec");
    let account = accounts.access("team-a", &spec, None).expect("an account");
    let old = account.credentials().await.expect("a key");
    with("LTAI-new");
    assert!(account.instead_of(&old).await.is_none(), "it has just been read");
    tokio::time::sleep(Duration::from_secs(11)).await;
    let new = account.instead_of(&old).await.expect("another key");
    assert_eq!((old.access_key_id.as_str(), new.access_key_id.as_str()), ("LTAI-old", "LTAI-new"));
}
