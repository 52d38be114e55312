//! The operator's configuration file: what an administrator decides. Unknown keys and wrong values are refused with their line.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;

use crate::{
    accounts::{AccountSettings, Submissions, resolve_bases},
    metrics::MetricsSettings,
};

/// The configuration file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether new requests are sent, for every account.
    #[serde(default)]
    #[schemars(extend("default" = "Enabled"))]
    pub submissions: Submissions,
    /// The accounts that objects can name in `spec.account`. A name has 1 to 63 characters.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "minLength": 1, "maxLength": 63 }))]
    pub accounts: BTreeMap<String, AccountSettings>,
    /// What `/metrics` has of the objects.
    #[serde(default)]
    pub metrics: MetricsSettings,
}

/// What a configuration file contains. Two of them are equal if the same text was read.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigText(String);

impl ConfigText {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        std::fs::read_to_string(path).map(Self).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
    }

    /// Checks it; `path` is where it was read.
    ///
    /// # Errors
    /// It is no valid configuration: the error names the file and the line.
    pub fn parse(&self, path: &Path) -> Result<Config, ConfigError> {
        Config::parse(&self.0).map_err(|why| ConfigError::Wrong { path: path.to_owned(), why })
    }
}

/// Why the configuration cannot be used. The operator does not start with half of it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file's content is not a valid configuration; the text names the line.
    #[error("{}: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The mistake and its line.
        why: String,
    },
}

impl Config {
    /// The JSON schema of the file, draft 7, which Helm and editors read. The parser also checks rules between keys, which the schema does
    /// not state.
    pub fn schema() -> serde_json::Value {
        SchemaSettings::draft07().into_generator().into_root_schema_for::<Self>().to_value()
    }

    /// Reads and checks a file. An error names the file and, for wrong content, the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        ConfigText::read(path)?.parse(path)
    }

    /// Checks a configuration; the error has the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The excerpt that the library can add would put a misplaced secret into the log.
        let options = serde_saphyr::options! { with_snippet: false };
        let mut config: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
        if config.accounts.is_empty() {
            return Err("accounts: name at least one, for example default".to_owned());
        }
        if let Some(name) = config.accounts.keys().find(|name| name.is_empty() || name.len() > 63) {
            return Err(format!(
                "accounts: a name has 1 to 63 characters, and {:?} has {}",
                name.chars().take(70).collect::<String>(),
                name.len()
            ));
        }
        resolve_bases(&mut config.accounts)?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::Config;
    use crate::{
        accounts::{CredentialsSettings, Expiry, Submissions},
        metrics::{MetricsSettings, PerSchedule},
    };

    const GOOD: &str = "\
submissions: Paused
metrics: { perSchedule: Freshness, instanceIds: false }
accounts:
  default:
    regionId: cn-hangzhou
    endpoint: http://127.0.0.1:8080
    credentials: { type: Secret, name: rds-key }
    protocol: { requestExpiry: 6s, clockSkew: 1s, listingLag: 3s }
    poll: { first: 1s, min: 1s, max: 2s }
    signature: V3
    allow: [{ namespaces: [\"team-*\"], instances: [\"*\"], regions: [\"*\"] }]
    limits: { createPerSecond: 1, describePerSecond: 2 }
  small:
    regionId: cn-beijing
    credentials: { type: Auto }
    allow: []
";

    #[test]
    fn a_whole_configuration_is_read() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.submissions, Submissions::Paused);
        assert_eq!(config.metrics, MetricsSettings { per_schedule: PerSchedule::Freshness, instance_ids: false });
        let account = &config.accounts["default"];
        assert_eq!(account.credentials, CredentialsSettings::Secret { name: "rds-key".into() });
        assert_eq!(account.protocol.request_expiry, Expiry::After(SignedDuration::from_secs(6)));
        assert_eq!(account.poll.max, SignedDuration::from_secs(2));
        assert_eq!((account.limits.create_per_second, account.limits.describe_per_second), (Some(1), Some(2)));
        assert_eq!(config.accounts["small"].protocol.request_expiry, Expiry::After(SignedDuration::from_mins(15)));
    }

    /// A file that writes out every default of the schema gives the same configuration as one that omits them.
    #[test]
    fn the_schema_states_the_true_defaults_and_no_unknown_key() {
        let schema = Config::schema();
        let definitions = &schema["definitions"];
        let defaults = |definition: &serde_json::Value| -> serde_json::Map<String, serde_json::Value> {
            let properties = definition["properties"].as_object().expect("an object").iter();
            properties.filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone()))).collect()
        };
        let mut account = defaults(&definitions["Account"]);
        account.insert("regionId".to_owned(), "cn-hangzhou".into());
        account.insert("credentials".to_owned(), serde_json::json!({ "type": "Auto" }));
        account.insert("allow".to_owned(), serde_json::json!([]));
        let least = serde_json::json!({ "accounts": { "a": {
            "regionId": "cn-hangzhou", "credentials": { "type": "Auto" }, "allow": [],
            "limits": { "createPerSecond": 5, "describePerSecond": 10 },
        } } });
        for (key, definition) in [("protocol", "Protocol"), ("poll", "Poll"), ("limits", "LimitSettings")] {
            let inner = defaults(&definitions[definition]);
            assert_eq!(
                inner.len(),
                definitions[definition]["properties"].as_object().expect("an object").len(),
                "{key}: all have a default"
            );
            account.insert(key.to_owned(), inner.into());
        }
        let mut whole = defaults(&schema);
        whole.insert("metrics".to_owned(), defaults(&definitions["MetricsSettings"]).into());
        whole.insert("accounts".to_owned(), serde_json::json!({ "a": account }));
        assert_eq!(whole["metrics"], serde_json::json!({ "perSchedule": "All", "instanceIds": true }));
        let parsed = |value: serde_json::Value| format!("{:?}", Config::parse(&value.to_string()).expect("a configuration"));
        assert_eq!(parsed(whole.into()), parsed(least));
        let limits = crate::rds::Limits::default();
        assert_eq!((limits.create_per_second, limits.describe_per_second), (5, 10));
    }

    #[test]
    fn an_endpoint_named_by_hand_proves_nothing_about_expiry_unless_it_is_the_loopback() {
        let at = |endpoint: &str, protocol: &str| {
            let text = format!(
                "accounts:\n  a:\n    regionId: cn-hangzhou\n    endpoint: {endpoint}\n    credentials: {{ type: Auto }}\n    allow: []\n{protocol}"
            );
            Config::parse(&text).unwrap().accounts["a"].protocol.request_expiry
        };
        assert_eq!(at("https://rds.private.example", ""), Expiry::Never);
        assert_eq!(
            at("https://rds.private.example", "    protocol: { requestExpiry: 15m }\n"),
            Expiry::After(SignedDuration::from_mins(15))
        );
        assert_eq!(at("http://127.0.0.1:80", ""), Expiry::After(SignedDuration::from_mins(15)));
    }

    #[test]
    fn a_mistake_is_refused_with_its_line() {
        for (from, to, line, expected) in [
            ("signature: V3", "signature: V9", "line 10", "V9"),
            ("credentials: { type: Secret, name: rds-key }", "credentials: { type: RSA }", "line 7", "RSA"),
            ("credentials: { type: Secret, name: rds-key }", "credentials: { type: Secret, nome: x }", "line 7", "nome"),
            ("credentials: { type: Secret, name: rds-key }", "credentials: { type: RRSA, name: x }", "line 7", "name"),
            ("credentials: { type: Secret, name: rds-key }", "credentials: { type: RRSA, sessionName: a b }", "line 7", "session's name"),
            ("credentials: { type: Secret, name: rds-key }", "credentials: { type: RRSA }", "line 5", "stsEndpoint: beside endpoint"),
            (
                "    signature: V3",
                "    stsEndpoint: https://sts.example",
                "line 5",
                "only for credentials of type RRSA, AssumeRole and Auto",
            ),
            ("    signature: V3", "    stsEndpoint: http://sts.example", "line 10", "https"),
            ("credentials: { type: Auto }", "credentials: { type: AssumeRole, roleArn: r, from: default }", "line 15", "role/backup"),
            ("credentials: { type: Auto }", "credentials: { type: AssumeRole, from: default }", "line 15", "roleArn"),
            (
                "credentials: { type: Auto }",
                "credentials: { type: AssumeRole, roleArn: 'acs:ram::1:role/r', from: default, durationSeconds: 600 }",
                "line 15",
                "durationSeconds: 900 to 43200",
            ),
            ("credentials: { type: Auto }", "credentials: { type: RRSA, durationSeconds: 43201 }", "line 15", "durationSeconds"),
            ("credentials: { type: Auto }", "credentials: { type: RRSA, policy: '[]' }", "line 15", "policy: a JSON object"),
            ("credentials: { type: Auto }", "credentials: { type: CredentialsURI, uri: 'http://keys.example/a' }", "line 15", "https://"),
            (
                "credentials: { type: Auto }",
                "credentials: { type: CredentialsURI, uri: 'https://u:p@keys.example/a' }",
                "line 15",
                "without user",
            ),
            ("credentials: { type: Auto }", "credentials: { type: EcsRamRole, roleName: a/b }", "line 15", "roleName"),
            ("    signature: V3", "    metadataEndpoint: https://md.example", "line 5", "only for credentials of type EcsRamRole"),
            (
                "credentials: { type: Auto }",
                "credentials: { type: AssumeRole, roleArn: 'acs:ram::1:role/r', from: small }",
                "accounts.small",
                "a circle",
            ),
            ("signature: V3", "signatur: V3", "line 10", "signatur"),
            ("submissions: Paused", "submission: Paused", "line 1", "submission"),
            ("perSchedule: Freshness", "perSchedule: Some", "line 2", "Some"),
            ("perSchedule: Freshness", "perSchedules: All", "line 2", "perSchedules"),
            ("instanceIds: false", "instanceIds: 7", "line 2", "bool"),
            ("clockSkew: 1s", "clockSkew: soon", "line 8", "soon"),
            ("createPerSecond: 1", "createPerSecond: 0", "line 12", "1 or more"),
            ("http://127.0.0.1:8080", "http://rds.example", "line 6", "https"),
            ("regionId: cn-hangzhou", "regionId: hangzhou", "line 5", "region"),
            ("regionId: cn-beijing", "regionId: cn-bejing", "line 1", "cn-beijing"),
            ("    signature: V3", "    network: Vpc", "line 5", "exclude each other"),
            ("    signature: V3", "    network: Private", "line 10", "Private"),
            (
                "    signature: V3",
                "    proxy: { url: \"socks5://p.example:1\" }",
                "line 5",
                "proxy: \"socks5://p.example:1\" is no address of a proxy",
            ),
            ("    signature: V3", "    proxy: { url: \"http://p.example\", noProxy: [\"*\"] }", "line 5", "proxy: \"*\" is no host"),
            ("    signature: V3", "    proxy: { address: \"http://p.example\" }", "line 10", "address"),
            ("    signature: V3", "    ca: ca.crt", "line 5", "certificate 1 of ca cannot be used"),
            ("    signature: V3", "    allowPrivateAddresses: false", "line 5", "endpoint allows its host"),
            ("namespaces: [\"team-*\"]", "namespaceSelector: {}", "line 11", "an empty one would match every namespace"),
            ("namespaces: [\"team-*\"]", "namespaceSelector: { matchLabel: { a: b } }", "line 11", "matchLabel"),
            ("namespaces: [\"team-*\"]", "namespaceSelector: { matchExpressions: [{ key: a, operator: Is }] }", "line 11", "Is"),
            ("namespaces: [\"team-*\"], ", "", "line 11", "needs namespaces or namespaceSelector"),
            ("credentials: { type: Auto }", "credentials: { type: TenantSecret }", "line 15", "name"),
            ("    regionId: cn-beijing\n", "", "line", "regionId"),
            ("    allow: []\n", "", "line", "allow"),
            ("  small:", "  default:", "line 13", "default"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is not in the text");
            let error = Config::parse(&text).unwrap_err();
            assert!(error.contains(line) && error.contains(expected), "{to:?}: {error}");
        }
        let secret = GOOD.replacen("{ type: Auto }", "{ type: CredentialsURI, uri: 'http://keys.example/hunter2' }", 1);
        let error = Config::parse(&secret).unwrap_err();
        assert!(!error.contains("hunter2"), "an address that holds a key is not repeated: {error}");
        assert!(Config::parse("accounts: {}").unwrap_err().contains("at least one"));
        assert!(Config::parse("").is_err());
    }
}
