use std::sync::Mutex;

use futures::future::BoxFuture;

use super::*;
use crate::{
    accounts::{Accounts, ClientDeps, Source},
    clock::Clock,
    config::Config,
    entropy::Entropy,
    rds::{CreateBackup, CreateOutcome, InstanceId, Rejection, Stamp},
    rpc::{Failure, HttpRequest, HttpResponse, HttpTransport},
};

const CONFIG: &str = "\
accounts:
  main: { regionId: cn-hangzhou, credentials: { type: Secret, name: key }, allow: [] }
  tenants: { regionId: cn-hangzhou, credentials: { type: TenantSecret, name: key }, allow: [] }
";

/// Gives the answers one after the other, the last one again and again, and counts the requests.
struct Scripted {
    answers: Vec<(u16, &'static str)>,
    sent: Mutex<usize>,
}

impl Scripted {
    fn sent(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

impl HttpTransport for Scripted {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        let mut sent = self.sent.lock().unwrap();
        let (status, body) = self.answers[(*sent).min(self.answers.len() - 1)];
        *sent += 1;
        let answer = HttpResponse { status, headers: http::HeaderMap::new(), body: body.into(), received: now() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn now() -> jiff::Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn key(id: &str) -> Credentials {
    Credentials {
        access_key_id: id.into(),
        access_key_secret: "secret-of-the-test".to_owned().into(),
        security_token: None,
        expires_at: None,
    }
}

fn accounts(answers: &[(u16, &'static str)]) -> (Accounts, Arc<Scripted>) {
    let Config { submissions, accounts, .. } = Config::parse(CONFIG).unwrap();
    let sent = Arc::new(Scripted { answers: answers.to_vec(), sent: Mutex::default() });
    let deps = ClientDeps { clock: Clock::new(now), entropy: Entropy::system(), transport: Some(sent.clone()) };
    (Accounts::new(accounts, submissions, |_, _| Source::Fixed(Ok(key("k"))), deps), sent)
}

fn main(answers: &[(u16, &'static str)]) -> (ReadOnlyAccess, Arc<Scripted>) {
    let (accounts, sent) = accounts(answers);
    (accounts.read_only("main", None).unwrap(), sent)
}

const NO_SETS: (u16, &str) = (200, r#"{"RequestId":"R","TotalRecordCount":"0","Items":{"Backup":[]}}"#);
const THROTTLED: (u16, &str) = (400, r#"{"RequestId":"R","Code":"Throttling.User","Message":"slow down"}"#);

fn query() -> SetQuery {
    SetQuery::of(InstanceId::new("rm-of-anybody"))
}

#[tokio::test(start_paused = true)]
async fn nothing_but_reads_leaves_through_it() {
    let (access, sent) = main(&[NO_SETS]);
    let instance = InstanceId::new("rm-1");
    let request = CreateBackup {
        instance: instance.clone(),
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    };
    let stamp = Stamp { nonce: "n".to_owned(), timestamp: now() };
    let created = access.client.create_backup(&key("k"), &request, &stamp).await;
    assert_eq!(created, CreateOutcome::Rejected(Rejection::Withdrawn));
    let deleted = access.client.delete_backup(&key("k"), &instance, &"5".into()).await;
    assert_eq!(deleted, Err(CallError::Withdrawn));
    assert_eq!(sent.sent(), 0);
    assert_eq!(access.sets(&query()).await.unwrap(), SetList::default());
    assert_eq!(sent.sent(), 1, "an instance that no rule allows can be read");
}

#[test]
fn an_account_without_a_key_of_its_own_and_an_unknown_one_are_refused() {
    let (accounts, _) = accounts(&[NO_SETS]);
    let said = |name| accounts.read_only(name, None).err().map(|error| error.to_string()).unwrap();
    assert!(said("tenants").contains("of type TenantSecret, so it has no key of its own"), "{}", said("tenants"));
    assert_eq!(said("mian"), "--account mian: the configuration has no such account; it has main, tenants");
    let region = accounts.read_only("main", Some("cn-nowhere-9")).err().map(|error| error.to_string()).unwrap();
    assert!(region.contains("cn-nowhere-9"), "{region}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named_as_ram_policies_name_it() {
    let (access, sent) = main(&[(403, r#"{"RequestId":"R","Code":"Forbidden.RAM","Message":"not authorized"}"#)]);
    let said = access.sets(&query()).await.unwrap_err().to_string();
    assert!(said.contains("account main may not call rds:DescribeBackups in region cn-hangzhou"), "{said}");
    assert!(said.contains("Forbidden.RAM: not authorized") && !said.contains("secret-of-the-test"), "{said}");
    assert_eq!(sent.sent(), 1, "it is not asked again");
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for_and_what_stays_is_told() {
    let (access, sent) = main(&[THROTTLED, (502, "<html>"), NO_SETS]);
    assert_eq!(access.sets(&query()).await.unwrap(), SetList::default());
    assert_eq!(sent.sent(), 3);
    let (access, sent) = main(&[THROTTLED]);
    let said = access.sets(&query()).await.unwrap_err().to_string();
    assert!(said.starts_with("DescribeBackups of account main in region cn-hangzhou: "), "{said}");
    assert!(sent.sent() <= MOST_ATTEMPTS as usize, "{}", sent.sent());
}

/// The key of an account that was rotated while a listing was read.
#[tokio::test(start_paused = true)]
async fn a_refused_key_is_read_anew_once() {
    let refusal = (404, r#"{"RequestId":"R","Code":"InvalidAccessKeyId.NotFound","Message":"no such key"}"#);
    let (access, sent) = main(&[refusal]);
    let said = access.sets(&query()).await.unwrap_err().to_string();
    assert!(said.contains("InvalidAccessKeyId.NotFound"), "{said}");
    assert_eq!(sent.sent(), 1, "the same key is not tried again");
}
