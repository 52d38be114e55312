//! Credentials that end: the operator as a process, a simulated STS that gives out keys of seconds, and an endpoint that refuses each key
//! from its end on.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use rds_backup_sandbox::{
    metadata::{self, Metadata},
    rds::{InstanceSpec, Key, OK},
    sts::{Issuer, Options, ProjectedToken, Provider, Role, Settings, Sts, Trouble, Trust},
    world::{Operator, StartOperator},
};
use serde_json::json;

use crate::site::{Site, at_site, message};

const ROLE: &str = "acs:ram::1234567890123456:role/backup";
pub const SPOKE: &str = "acs:ram::6543210987654321:role/backup-spoke";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1";
pub const AUDIENCE: &str = "sts.aliyuncs.com";
pub const SUBJECT: &str = "system:serviceaccount:rds-backup-system:rds-backup-operator";

/// A cloud account with a provider and a role for the operator, and the token of its pod.
pub struct Cloud {
    pub sts: Sts,
    pub issuer: Issuer,
    token: ProjectedToken,
}

impl Cloud {
    /// Its keys live so long.
    pub async fn new(site: &Site, life: Duration) -> Self {
        let issuer = Issuer::new("https://oidc.sandbox.example", "secret-of-the-issuer");
        let provider = Provider { arn: PROVIDER.into(), issuer: issuer.clone(), audiences: vec![AUDIENCE.into()] };
        let options = Options {
            providers: vec![provider],
            roles: roles(),
            keys: vec![Key::new("sandbox-key", "sandbox-secret")],
            settings: Settings { life: Some(life), ..Settings::default() },
            on_issue: Some(Box::new(site.rds().key_sink())),
            ..Options::default()
        };
        let sts = Sts::start(options).await.expect("STS");
        let directory = site.world.dir().join(format!("{}-tokens", site.namespace));
        let mut cloud = Self { sts, issuer, token: ProjectedToken::new(&directory).expect("a directory") };
        cloud.renew_token(SignedDuration::from_hours(1));
        cloud
    }

    /// As the kubelet does.
    fn renew_token(&mut self, life: SignedDuration) {
        let token = self.issuer.token(SUBJECT, AUDIENCE, self.sts.now() + life);
        self.token.swap(&token).expect("a token");
    }

    /// What the webhook of ACK sets.
    pub fn env(&self) -> Vec<(String, String)> {
        let path = self.token.path().display().to_string();
        let env =
            [("ALIBABA_CLOUD_ROLE_ARN", ROLE), ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER), ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", &path)];
        env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// An operator whose account `default` uses RRSA.
    async fn operator(&self, site: &Site) -> Operator {
        let config =
            site.config(&[("{ type: Secret, name: rds-access-key }", &format!("{{ type: RRSA }}\n    stsEndpoint: {}", self.sts.url()))]);
        site.operator_with(StartOperator { config: Some(config), env: self.env(), ..StartOperator::default() }).await
    }
}

fn roles() -> Vec<Role> {
    let by_token = Trust::ServiceAccount { provider: PROVIDER.into(), subject: SUBJECT.into() };
    let by_role = Trust::Principal { principal: ROLE.into(), external_id: Some("team-a".into()) };
    vec![Role::new(ROLE, vec![by_token]), Role::new(SPOKE, vec![by_role])]
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The outcomes of the calls about an instance that are not OK.
fn refusals(site: &Site, instance: &str) -> Vec<String> {
    site.calls(instance).into_iter().map(|call| call.outcome).filter(|outcome| outcome != OK).collect()
}

#[test]
fn a_backup_is_made_with_keys_of_rrsa_that_are_renewed_while_its_job_runs() {
    at_site(|site| async move {
        let mut cloud = Cloud::new(&site, seconds(20)).await;
        // The token ends before the job does: the next exchanges need what the kubelet put in its place.
        cloud.renew_token(SignedDuration::from_secs(25));
        let operator = cloud.operator(&site).await;
        let instance = site.instance("rm-mysql-long");
        site.rds().define(&instance, InstanceSpec { job_time: Some(seconds(45)), ..InstanceSpec::default() });
        site.apply("long", json!({ "dbInstanceId": instance })).await;
        site.until_phase("long", "Running").await;
        let renewer = async {
            tokio::time::sleep(seconds(15)).await;
            cloud.renew_token(SignedDuration::from_hours(1));
        };
        renewer.await;
        site.until_phase("long", "Succeeded").await;
        assert_eq!(refusals(&site, &instance), Vec::<String>::new(), "no call was made with a key that had ended");
        let keys: BTreeSet<String> = site.calls(&instance).into_iter().map(|call| call.access_key_id).collect();
        assert!(keys.len() >= 3 && keys.iter().all(|key| key.starts_with("STS.")), "{keys:?}");
        let calls = cloud.sts.calls();
        assert!(calls.iter().all(|call| call.outcome.as_deref() == Some(OK) && call.role_arn == ROLE), "{calls:?}");
        assert!(calls.iter().all(|call| call.session_name == "rds-backup-operator"), "{calls:?}");
        // A key of 20 s is renewed after 10, and the first one up to a tenth earlier.
        let took = calls.last().expect("calls").time.duration_since(calls[0].time).as_secs_f64();
        assert!(calls.len() as f64 <= took / 8.9 + 1.5, "{} exchanges in {took} s", calls.len());
        let metrics = operator.get("/metrics").await.expect("an answer").body;
        let end =
            metrics.lines().find_map(|line| line.strip_prefix("rdsbackup_credentials_expiry_timestamp_seconds{account=\"default\"} "));
        let end: f64 = end.expect("when the key ends").parse().expect("a time");
        let left = end - cloud.sts.now().as_second() as f64;
        assert!((0.0..=20.0).contains(&left), "the key ends in {left} s");
        let renewed = "rdsbackup_credentials_refreshes_total{account=\"default\",source=\"RRSA\",result=\"OK\"} ";
        let renewed: Option<usize> = metrics.lines().find_map(|line| line.strip_prefix(renewed)?.parse().ok());
        assert!(
            renewed.is_some_and(|renewed| (calls.len()..=calls.len() + 1).contains(&renewed)),
            "{renewed:?} of {} exchanges",
            calls.len()
        );
        let log = std::fs::read_to_string(operator.log()).expect("its log");
        for secret in ["sts-secret-canary", "sts-token-canary", "eyJ"] {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
    });
}

/// A change that breaks RRSA.
type Break = Box<dyn Fn(&mut Cloud)>;

fn of_token(token: impl Fn(&Cloud) -> String + 'static) -> Break {
    Box::new(move |cloud| cloud.token.swap(&token(cloud)).expect("a token"))
}

fn of_sts(trouble: Trouble) -> Break {
    Box::new(move |cloud| cloud.sts.update(|settings| settings.trouble = Some(trouble.clone())))
}

fn error(status: u16, code: &str) -> Break {
    of_sts(Trouble::Error { status, code: code.to_owned() })
}

#[test]
fn each_token_that_is_no_proof_has_its_reason_says_what_to_check_and_heals() {
    at_site(|site| async move {
        let cloud = Cloud::new(&site, seconds(8)).await;
        let file = cloud.token.path().display().to_string();
        let other = Issuer::new("https://oidc.sandbox.example", "secret-of-another-cluster");
        let hour = SignedDuration::from_hours(1);
        let cases: Vec<(&str, Break, &str, Vec<&str>)> = vec![
            ("no-file", Box::new(|cloud| cloud.token.remove().expect("one")), "CredentialsNotFound", vec![&file, "cannot be read"]),
            ("empty", of_token(|_| "\n".to_owned()), "InvalidCredentials", vec![&file, "is empty"]),
            ("no-token", of_token(|_| "a.b.c".to_owned()), "InvalidCredentials", vec![&file, "OIDCToken.Invalid"]),
            (
                "audience",
                of_token(move |cloud| cloud.issuer.token(SUBJECT, "kubernetes", cloud.sts.now() + hour)),
                "InvalidCredentials",
                vec![&file, PROVIDER, "audience sts.aliyuncs.com"],
            ),
            (
                "expired",
                of_token(|cloud| cloud.issuer.token(SUBJECT, AUDIENCE, cloud.sts.now() - SignedDuration::from_secs(5))),
                "CredentialsExpired",
                vec![&file, "has expired"],
            ),
            (
                "other-cluster",
                of_token(move |cloud| other.token(SUBJECT, AUDIENCE, cloud.sts.now() + hour)),
                "InvalidCredentials",
                vec![PROVIDER, "not signed by the issuer"],
            ),
            (
                "other-account",
                of_token(move |cloud| cloud.issuer.token("system:serviceaccount:a:b", AUDIENCE, cloud.sts.now() + hour)),
                "AccessDenied",
                vec![ROLE, PROVIDER, "trust policy"],
            ),
        ];
        each_has_its_reason_and_heals(&site, cloud, cases).await;
    });
}

#[test]
fn each_refusal_and_silence_of_sts_has_its_reason_and_heals() {
    at_site(|site| async move {
        let cloud = Cloud::new(&site, seconds(8)).await;
        let unavailable = "ServiceUnavailable";
        let cases: Vec<(&str, Break, &str, Vec<&str>)> = vec![
            ("no-trust", Box::new(|cloud| cloud.sts.set_roles(Vec::new())), "AccessDenied", vec![ROLE, "AuthenticationFail.NoPermission"]),
            ("throttled", error(400, "Throttling.User"), "Throttled", vec!["too many calls"]),
            ("fault", error(500, "InternalError"), unavailable, vec!["answered with a fault"]),
            ("clock", error(400, "InvalidTimeStamp.Expired"), "ClockSkew", vec!["does not accept the request's time"]),
            ("down", of_sts(Trouble::Closed), unavailable, vec!["no answer that can be used"]),
            ("silent", of_sts(Trouble::Silent), unavailable, vec!["no whole answer within 10 s"]),
            ("garbage", of_sts(Trouble::Garbage("<html>".into())), unavailable, vec!["no answer that can be used"]),
        ];
        each_has_its_reason_and_heals(&site, cloud, cases).await;
    });
}

async fn each_has_its_reason_and_heals(site: &Site, mut cloud: Cloud, cases: Vec<(&str, Break, &str, Vec<&str>)>) {
    let hour = SignedDuration::from_hours(1);
    let operator = cloud.operator(site).await;
    println!("| situation | reason | healed after |");
    for (name, breaks, reason, words) in cases {
        breaks(&mut cloud);
        // The key that it has is served to its end, so the object may still be made with it: each has a job that outlives it.
        let instance = site.instance(&format!("rm-mysql-{name}"));
        tokio::time::sleep(seconds(7)).await;
        site.apply(name, json!({ "dbInstanceId": instance })).await;
        let troubled = site.until_reason(name, reason).await;
        let told = message(&troubled);
        assert!(told.starts_with("RRSA (role acs:ram::") && words.iter().all(|word| told.contains(word)), "{name}: {told}");
        assert!(!told.contains(&cloud.issuer.token(SUBJECT, AUDIENCE, cloud.sts.now())[..30]) && !told.contains("a.b.c"), "{name}: {told}");
        assert!(site.creates(&instance).is_empty(), "{name}: nothing is sent without a key");
        cloud.sts.update(|settings| settings.trouble = None);
        cloud.sts.set_roles(roles());
        cloud.renew_token(hour);
        let healed = Instant::now();
        site.until_phase(name, "Succeeded").await;
        println!("| {name} | {reason} | {:.0} s, of which 5 are the backup's |", healed.elapsed().as_secs_f64());
        assert_eq!(site.rds().accepted(&instance), 1, "{name}");
    }
    let log = std::fs::read_to_string(operator.log()).expect("its log");
    for secret in ["sts-secret-canary", "sts-token-canary", "eyJ", "a.b.c"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Accounts of several cloud accounts: one has the pod's role, and the others assume theirs with its key.
#[test]
fn a_role_of_another_cloud_account_is_assumed_with_the_key_of_the_hub() {
    at_site(|site| async move {
        let cloud = Cloud::new(&site, seconds(16)).await;
        let (rds, sts) = (site.rds().url(), cloud.sts.url());
        let account = |name: &str, role: &str, more: &str, from: &str| {
            format!(
                "  {name}:\n    regionId: cn-hangzhou\n    endpoint: {rds}\n    stsEndpoint: {sts}\n    \
                 credentials: {{ type: AssumeRole, roleArn: \"{role}\", {more}from: {from} }}\n    \
                 allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n"
            )
        };
        let accounts = [
            format!(
                "  hub:\n    regionId: cn-hangzhou\n    endpoint: {rds}\n    stsEndpoint: {sts}\n    credentials: {{ type: RRSA }}\n    \
                 allow: []\n"
            ),
            account("spoke", SPOKE, "externalId: team-a, sessionName: team-a, ", "hub"),
            account("stranger", SPOKE, "", "hub"),
            account("nobody", "acs:ram::1:role/none", "", "hub"),
            // The key of the Secret is no principal that the role trusts.
            account("by-secret", SPOKE, "externalId: team-a, ", "default"),
        ];
        let config = site.world.operator_config(&accounts.concat());
        let config = site.world.write_config(&format!("{}-spokes.yaml", site.namespace), &config).expect("a file");
        let operator = site.operator_with(StartOperator { config: Some(config), env: cloud.env(), ..StartOperator::default() }).await;

        let instance = site.instance("rm-mysql-spoke");
        site.rds().define(&instance, InstanceSpec { job_time: Some(seconds(25)), ..InstanceSpec::default() });
        site.apply("spoke", json!({ "dbInstanceId": instance, "account": "spoke" })).await;
        for (name, reason, words) in [
            ("stranger", "AccessDenied", "externalId if it asks for one"),
            ("nobody", "InvalidCredentials", "there is no role acs:ram::1:role/none"),
            ("by-secret", "AccessDenied", "the key of account default"),
            ("hub", "NotAllowed", "allow-list"),
        ] {
            let instance = site.instance(&format!("rm-mysql-{name}"));
            site.apply(name, json!({ "dbInstanceId": instance, "account": name })).await;
            let stalled = site.until_reason(name, reason).await;
            assert!(message(&stalled).contains(words), "{name}: {}", message(&stalled));
            assert!(site.calls(&instance).is_empty(), "{name}: its instance is never called about");
        }
        site.until_phase("spoke", "Succeeded").await;
        assert_eq!(refusals(&site, &instance), Vec::<String>::new());
        let calls = cloud.sts.calls();
        let given = |role: &str| calls.iter().filter(|call| call.role_arn == role && call.key_id.is_some()).cloned().collect::<Vec<_>>();
        let of_spoke: BTreeSet<Option<String>> = given(SPOKE).into_iter().map(|call| call.key_id).collect();
        let used: BTreeSet<Option<String>> = site.calls(&instance).into_iter().map(|call| Some(call.access_key_id)).collect();
        assert!(used.len() >= 2 && used.is_subset(&of_spoke), "{used:?} of {of_spoke:?}");
        assert!(given(SPOKE).iter().all(|call| call.session_name == "team-a"));
        // The accounts share the hub's keys: one is renewed after 8 s.
        let hub = given(ROLE);
        let took = hub.last().expect("exchanges").time.duration_since(hub[0].time).as_secs_f64();
        assert!(hub.len() as f64 <= took / 7.1 + 1.5, "{} exchanges of the hub in {took} s", hub.len());
        let log = std::fs::read_to_string(operator.log()).expect("its log");
        assert!(!log.contains("canary") && !log.contains("eyJ"), "a secret is in the log");
    });
}

/// A change of a service's settings.
type Change = Box<dyn Fn(&mut metadata::Settings)>;

/// A source of keys in a situation, and what an object of its account gets: `Succeeded`, or a reason and words of its message.
struct Situation {
    source: &'static str,
    name: &'static str,
    change: Change,
    reason: &'static str,
    words: &'static str,
    service: Metadata,
}

/// Keys live so long, by all of these services.
fn of_seconds() -> metadata::Settings {
    metadata::Settings { life: seconds(8), ..metadata::Settings::default() }
}

async fn situations(site: &Site) -> Vec<Situation> {
    let change = |change: fn(&mut metadata::Settings)| -> Change { Box::new(change) };
    let lacks = |member: &'static str| -> Change { Box::new(move |settings| settings.lacks = vec![member.to_owned()]) };
    let all: Vec<(&str, &str, Change, &str, &str)> = vec![
        ("ecs", "works", change(|_| {}), "Succeeded", ""),
        ("ecs", "line-break", change(|settings| settings.ends_lines = true), "Succeeded", ""),
        ("ecs", "no-role", change(|settings| settings.role = None), "CredentialsNotFound", "has no RAM role"),
        ("ecs", "no-tokens", change(|settings| settings.gives_tokens = false), "InvalidCredentials", "allowImdsV1"),
        ("ecs", "no-success", change(|settings| settings.code = "Failed".into()), "CredentialsNotFound", "its Code is not Success"),
        ("ecs", "expired", change(|settings| settings.age = seconds(60)), "CredentialsExpired", "ended at"),
        ("ecs", "silent", change(|settings| settings.silent = true), "ServiceUnavailable", "no whole answer within 3 s"),
        ("ecs", "malformed", lacks("Expiration"), "InvalidCredentials", "lacks one of Code, AccessKeyId"),
        ("ecs", "no-document", change(|settings| settings.garbage = true), "ServiceUnavailable", "status 200 and no key"),
        ("ecs-v1", "v1", change(|settings| (settings.gives_tokens, settings.serves_without_token) = (false, true)), "Succeeded", ""),
        ("uri", "works", change(|_| {}), "Succeeded", ""),
        ("uri", "malformed", lacks("SecurityToken"), "InvalidCredentials", "lacks one of AccessKeyId"),
        ("uri", "no-document", change(|settings| settings.garbage = true), "ServiceUnavailable", "is no JSON document"),
        ("uri", "expired", change(|settings| settings.age = seconds(60)), "CredentialsExpired", "ended at"),
        ("uri", "no-success", change(|settings| settings.code = "Failed".into()), "CredentialsNotFound", "its Code is not Success"),
        ("uri", "silent", change(|settings| settings.silent = true), "ServiceUnavailable", "no whole answer within 10 s"),
    ];
    let mut situations = Vec::new();
    for (source, name, change, reason, words) in all {
        let service = Metadata::start(of_seconds(), site.rds().key_sink()).await.expect("a service of keys");
        situations.push(Situation { source, name, change, reason, words, service });
    }
    situations
}

impl Situation {
    /// Of the account, of the object, and of the instance before the site's part.
    fn id(&self) -> String {
        format!("{}-{}", self.source, self.name)
    }

    fn account(&self, site: &Site) -> String {
        let url = self.service.url();
        let credentials = match self.source {
            "ecs" => format!("{{ type: EcsRamRole }}\n    metadataEndpoint: {url}"),
            "ecs-v1" => format!("{{ type: EcsRamRole, allowImdsV1: true }}\n    metadataEndpoint: {url}"),
            _ => format!("{{ type: CredentialsURI, uri: \"{url}{}\" }}", metadata::URI_PATH),
        };
        format!(
            "  {}:\n    regionId: cn-hangzhou\n    endpoint: {}\n    credentials: {credentials}\n    \
             allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n",
            self.id(),
            site.rds().url()
        )
    }

    /// Its service works until the operator has a key of it.
    async fn has_its_reason_and_heals(&self, site: &Site) {
        let (name, instance) = (self.id(), site.instance(&format!("rm-mysql-{}", self.id())));
        self.service.update(|settings| (self.change)(settings));
        tokio::time::sleep(seconds(7)).await;
        site.apply(&name, json!({ "dbInstanceId": instance, "account": name })).await;
        let mut since = Instant::now();
        if self.reason != "Succeeded" {
            let troubled = site.until_reason(&name, self.reason).await;
            let told = message(&troubled);
            let source = if self.source == "uri" { "CredentialsURI (127.0.0.1): " } else { "EcsRamRole (the role of the node): " };
            assert!(told.starts_with(source) && told.contains(self.words), "{name}: {told}");
            assert!(site.creates(&instance).is_empty(), "{name}: nothing is sent without a key");
            self.service.update(|settings| *settings = of_seconds());
            since = Instant::now();
        }
        site.until_phase(&name, "Succeeded").await;
        println!(
            "| {} | {} | {} | {:.0} s, of which 5 are the backup's |",
            self.source,
            self.name,
            self.reason,
            since.elapsed().as_secs_f64()
        );
    }
}

/// The keys of a node's metadata service and of a server of keys: each situation with its reason, and what heals it; each with an account and a
/// service of its own, all at the same time.
#[test]
fn each_failure_of_the_metadata_service_and_of_a_credentials_uri_has_its_reason_and_heals() {
    at_site(|site| async move {
        let situations = situations(&site).await;
        let accounts: String = situations.iter().map(|situation| situation.account(&site)).collect();
        let config = site.world.operator_config(&accounts);
        let config = site.world.write_config(&format!("{}-metadata.yaml", site.namespace), &config).expect("a file");
        let operator = site.operator_with(StartOperator { config: Some(config), ..StartOperator::default() }).await;
        println!("| source | situation | reason | healed after |");
        futures::future::join_all(situations.iter().map(|situation| situation.has_its_reason_and_heals(&site))).await;
        let requests = situations.iter().filter(|situation| situation.source != "uri").flat_map(|situation| situation.service.requests());
        assert!(!requests.into_iter().any(|request| request.contains("canary")), "the node is asked by version 2's rules");
        let log = std::fs::read_to_string(operator.log()).expect("its log");
        assert!(!log.contains("canary"), "a key, a token or the secret part of an address is in the log");
    });
}
