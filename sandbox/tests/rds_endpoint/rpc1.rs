//! Requests of the older signature, over the wire, by a signer of its own; and answers in XML.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rds_backup_sandbox::rds::{Format, Key, SignatureVersion};
use serde_json::Value;
use sha1::Sha1;

use super::client::{Response, encode, send};
use super::world::{KEY, PATIENCE, SECRET, World};

const INSTANCE: (&str, &str) = ("DBInstanceId", "rm-mysql-1");

/// Where the parameters stand.
#[derive(Debug, Clone, Copy)]
enum Place {
    Query,
    Form,
    /// As Terraform's provider: what all requests have in the query, the action's own in a form.
    Split,
}

struct Rpc {
    method: &'static str,
    place: Place,
    parameters: BTreeMap<String, String>,
}

impl Rpc {
    fn new(action: &str, own: &[(&str, &str)], nonce: &str, date: Timestamp) -> Self {
        let date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let common = [
            ("Action", action),
            ("Version", "2014-08-15"),
            ("Format", "JSON"),
            ("AccessKeyId", KEY),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", nonce),
            ("Timestamp", &date),
        ];
        let parameters = common.iter().chain(own).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { method: "POST", place: Place::Form, parameters }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.parameters.remove(name);
        self
    }

    fn at(self, method: &'static str, place: Place) -> Self {
        Self { method, place, ..self }
    }

    fn text(parameters: &[(&String, &String)]) -> String {
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
    }

    fn signed(&self, secret: &str) -> String {
        let all: Vec<_> = self.parameters.iter().collect();
        let to_sign = format!("{}&%2F&{}", self.method, encode(&Self::text(&all)));
        let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).unwrap();
        mac.update(to_sign.as_bytes());
        let signature = base64(&mac.finalize().into_bytes());
        let own = |name: &str| matches!(name, "DBInstanceId" | "DBName" | "BackupMethod" | "PageSize" | "PageNumber");
        let (query, form): (Vec<_>, Vec<_>) = match self.place {
            Place::Query => (all, Vec::new()),
            Place::Form => (Vec::new(), all),
            Place::Split => all.into_iter().partition(|(name, _)| !own(name)),
        };
        let signature = format!("Signature={}", encode(&signature));
        let (query, form) = match self.place {
            Place::Form => (String::new(), format!("{}&{signature}", Self::text(&form))),
            _ => (format!("{}&{signature}", Self::text(&query)), Self::text(&form)),
        };
        let content = if form.is_empty() { "" } else { "content-type: application/x-www-form-urlencoded\r\n" };
        let (method, length) = (self.method, form.len());
        format!("{method} /?{query} HTTP/1.1\r\nhost: here\r\n{content}content-length: {length}\r\nconnection: close\r\n\r\n{form}")
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |place: usize| if place > chunk.len() { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]) };
        (0..4).map(digit).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[test]
fn the_signer_of_these_tests_agrees_with_the_vectors() {
    let file: Value = serde_json::from_str(include_str!("../fixtures/rpc1-vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut checked = 0;
    for vector in file["vectors"].as_array().unwrap() {
        let method = match text(&vector["method"]).as_str() {
            "GET" => "GET",
            "POST" => "POST",
            _ => continue,
        };
        let parameters = vector["params"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
        let signed = Rpc { method, place: Place::Query, parameters }.signed(&text(&vector["access_key_secret"]));
        let expected = format!("Signature={} HTTP/1.1", text(&vector["signature_percent_encoded"]));
        assert!(signed.contains(&expected), "{}: {signed}", vector["name"]);
        checked += 1;
    }
    assert_eq!(checked, 12);
}

impl World {
    fn rpc(&self, action: &str, own: &[(&str, &str)]) -> Rpc {
        let nonce = self.request(action, &[]).headers["x-acs-signature-nonce"].clone();
        Rpc::new(action, own, &nonce, self.endpoint.now().service)
    }

    async fn rpc_answer(&self, rpc: &Rpc, secret: &str) -> Response {
        send(self.addr(), &rpc.signed(secret), PATIENCE).await.unwrap()
    }

    async fn rpc_verdict(&self, rpc: &Rpc) -> String {
        self.rpc_answer(rpc, SECRET).await.verdict()
    }
}

#[tokio::test]
async fn parameters_may_stand_in_the_query_in_a_form_and_in_both() {
    let world = World::new().await;
    for (method, place) in [("GET", Place::Query), ("POST", Place::Query), ("POST", Place::Form), ("POST", Place::Split)] {
        let rpc = world.rpc("DescribeBackups", &[INSTANCE, ("PageSize", "30")]).at(method, place);
        // Terraform's and the classic client's empty parameters: signed, and counting as not sent.
        let rpc = rpc.with("SourceIp", "").with("SignatureType", "");
        assert_eq!(world.rpc_verdict(&rpc).await, "OK", "{method} {place:?}");
    }
    let calls = world.endpoint.calls();
    assert!(calls.iter().all(|call| (call.signature, call.answer) == (SignatureVersion::V1, Format::Json)), "{calls:?}");
    assert!(calls.iter().all(|call| call.parameters.keys().eq(["DBInstanceId", "PageSize"]) && call.access_key_id == KEY), "{calls:?}");
}

#[tokio::test]
async fn a_backup_is_made_and_followed() {
    let world = World::new().await;
    let created = world.rpc_answer(&world.rpc("CreateBackup", &[INSTANCE, ("BackupMethod", "Physical")]), SECRET).await.json();
    let job = created["BackupJobId"].as_str().unwrap().to_owned();
    let task = world.rpc("DescribeBackupTasks", &[INSTANCE, ("BackupJobId", &job)]);
    assert_eq!(world.rpc_answer(&task, SECRET).await.json()["Items"]["BackupJob"][0]["BackupJobId"], job.as_str());
    assert_eq!(world.endpoint.accepted("rm-mysql-1"), 1);
    assert_eq!(world.endpoint.ledger()[0].parameters.len(), 2, "the ledger has the action's own parameters");
}

#[tokio::test]
async fn an_altered_request_is_refused_with_what_was_to_be_signed() {
    let world = World::new().await;
    for (place, from, to) in [
        (Place::Query, "rm-mysql-1", "rm-mysql-2"),
        (Place::Form, "rm-mysql-1", "rm-mysql-2"),
        (Place::Split, "rm-mysql-1", "rm-mysql-2"),
        (Place::Split, "CreateBackup", "DescribeBackups"),
        (Place::Query, "POST ", "GET "),
    ] {
        let bytes = world.rpc("CreateBackup", &[INSTANCE, ("BackupMethod", "Physical")]).at("POST", place).signed(SECRET);
        let altered = bytes.replacen(from, to, 1);
        assert_ne!(altered, bytes);
        let answer = send(world.addr(), &altered, PATIENCE).await.unwrap();
        assert_eq!(answer.verdict(), "400 SignatureDoesNotMatch", "{place:?} {from}");
        let message = answer.json()["Message"].as_str().unwrap().to_owned();
        assert!(message.contains("server string to sign is:") && message.contains("&%2F&AccessKeyId%3Dsandbox-key%26"), "{message}");
    }
    assert_eq!(world.endpoint.ledger(), []);
}

#[tokio::test]
async fn the_wrong_key_and_the_wrong_secret_are_told_apart() {
    let world = World::new().await;
    let rpc = world.rpc("DescribeBackups", &[INSTANCE]);
    assert_eq!(world.rpc_answer(&rpc, "wrong").await.verdict(), "400 SignatureDoesNotMatch");
    assert_eq!(world.rpc_verdict(&rpc.with("AccessKeyId", "nobody")).await, "404 InvalidAccessKeyId.NotFound");
}

#[tokio::test]
async fn a_request_expires_and_cannot_be_replayed_not_even_under_the_other_signature() {
    let world = World::with(|options| options.settings.expiry = Duration::from_secs(900)).await;
    let late = world.rpc("CreateBackup", &[INSTANCE]);
    world.wait(16 * 60);
    assert_eq!(world.rpc_verdict(&late).await, "400 InvalidTimeStamp.Expired");
    let rpc = world.rpc("CreateBackup", &[INSTANCE]);
    assert_eq!(world.rpc_verdict(&rpc).await, "OK");
    assert_eq!(world.rpc_verdict(&rpc).await, "400 SignatureNonceUsed");
    let nonce = rpc.parameters["SignatureNonce"].clone();
    let same = world.request("DescribeBackups", &[INSTANCE]).header("x-acs-signature-nonce", &nonce);
    assert_eq!(world.send(&same).await.unwrap().verdict(), "400 SignatureNonceUsed");
    let wrong = world.rpc("CreateBackup", &[INSTANCE]).with("Timestamp", "2026-03-04T12:00Z");
    assert_eq!(world.rpc_verdict(&wrong).await, "400 InvalidTimeStamp.Format");
    assert_eq!(world.endpoint.accepted("rm-mysql-1"), 1);
}

#[tokio::test]
async fn a_temporary_key_needs_its_token_among_the_parameters() {
    let world = World::with(|options| options.keys = vec![Key::new("STS.k", "s").token("the-token/+=")]).await;
    let verdict = async |token: Option<&str>| {
        let rpc = world.rpc("DescribeBackups", &[INSTANCE]).with("AccessKeyId", "STS.k");
        let rpc = match token {
            Some(token) => rpc.with("SecurityToken", token),
            None => rpc,
        };
        world.rpc_answer(&rpc, "s").await.verdict()
    };
    assert_eq!(verdict(None).await, "400 MissingSecurityToken");
    assert_eq!(verdict(Some("another")).await, "400 InvalidSecurityToken.Malformed");
    assert_eq!(verdict(Some("the-token/+=")).await, "OK");
    let log = format!("{:?}", world.endpoint.calls());
    assert!(!log.contains("the-token"), "{log}");
}

#[tokio::test]
async fn what_does_not_belong_is_refused() {
    let world = World::new().await;
    let rpc = |own: &[(&str, &str)]| world.rpc("DescribeBackups", own);
    assert_eq!(world.rpc_verdict(&rpc(&[INSTANCE]).with("Pagesize", "30")).await, "400 UnsupportedParameter");
    assert_eq!(world.rpc_verdict(&rpc(&[INSTANCE]).with("Version", "2014-08-16")).await, "400 InvalidVersion");
    assert_eq!(world.rpc_verdict(&rpc(&[INSTANCE]).with("Action", "ModifyBackupPolicy")).await, "404 InvalidAction.NotFound");
    assert_eq!(world.rpc_verdict(&rpc(&[])).await, "400 MissingParameter");
    // The parameters of this signature mean nothing to the other.
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE, ("Format", "XML")]).await, "400 UnsupportedParameter");
    // A name in the query and in the form: whichever was meant, the other is a mistake. The signature covers both.
    let twice = rpc(&[INSTANCE, ("DBName", "one")]).at("POST", Place::Split);
    let signed = twice.signed(SECRET).replace("/?", "/?DBInstanceId=rm-mysql-1&");
    assert_eq!(send(world.addr(), &signed, PATIENCE).await.unwrap().verdict(), "400 SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_form_is_read_under_the_newer_signature_too() {
    let world = World::new().await;
    let form = world.request("CreateBackup", &[]).with_body("DBInstanceId=rm-mysql-1");
    assert_eq!(world.send(&form).await.unwrap().verdict(), "400 UnsupportedOperation", "a body without a type is no form");
    let form = world.request("CreateBackup", &[]).with_body("DBInstanceId=rm-mysql-1");
    let form = form.header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    assert_eq!(world.send(&form).await.unwrap().verdict(), "OK");
    let twice = world.request("DescribeBackups", &[INSTANCE]).with_body("DBInstanceId=rm-mysql-2");
    let twice = twice.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(world.send(&twice).await.unwrap().verdict(), "400 InvalidParameter", "one name in both places");
    let mut get = world.request("DescribeBackups", &[INSTANCE]).with_body("PageSize=30");
    get.method = "GET".to_owned();
    assert_eq!(
        world.send(&get.header("content-type", "application/x-www-form-urlencoded")).await.unwrap().verdict(),
        "400 UnsupportedOperation"
    );
}

/// What is between `<name>` and `</name>`, in order.
fn elements<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close)).map(|(inside, _)| inside).collect()
}

async fn xml(world: &World, rpc: &Rpc) -> (u16, BTreeMap<String, String>, String) {
    let answer = world.rpc_answer(rpc, SECRET).await;
    assert_eq!(answer.headers["content-type"], "text/xml;charset=utf-8");
    (answer.status, answer.headers, String::from_utf8(answer.body).unwrap())
}

#[tokio::test]
async fn whoever_does_not_ask_for_json_is_answered_in_xml() {
    let world = World::new().await;
    let (status, _, body) = xml(&world, &world.rpc("CreateBackup", &[INSTANCE]).without("Format")).await;
    assert_eq!((status, elements(&body, "BackupJobId").len(), elements(&body, "RequestId").len()), (200, 1, 1), "{body}");
    assert!(body.contains("<CreateBackupResponse>") && body.ends_with("</CreateBackupResponse>"), "{body}");
    world.wait(110);
    world.backup("rm-mysql-1", &[]).await;
    let (_, _, body) = xml(&world, &world.rpc("DescribeBackups", &[INSTANCE]).with("Format", "xml")).await;
    let items = elements(&body, "Items");
    assert_eq!((items.len(), elements(items[0], "Backup").len(), elements(&body, "TotalRecordCount")), (1, 2, vec!["2"]), "{body}");
    assert!(elements(&body, "BackupDownloadURL").iter().all(|url| url.contains("&amp;")), "{body}");
    let json = world.rpc_answer(&world.rpc("DescribeBackups", &[INSTANCE]).with("Format", "json"), SECRET).await;
    assert_eq!(json.json()["TotalRecordCount"], "2");
}

#[tokio::test]
async fn errors_are_in_xml_too_and_say_when_to_come_back() {
    let world = World::new().await;
    let (status, _, body) = xml(&world, &world.rpc("DescribeBackups", &[("DBInstanceId", "rm-unknown")]).without("Format")).await;
    assert_eq!((status, elements(&body, "Code")), (404, vec!["InvalidDBInstanceName.NotFound"]), "{body}");
    assert!(body.contains("<Error>") && body.ends_with("</Error>") && elements(&body, "HostId").len() == 1, "{body}");
    world.throttle("DescribeBackups", 0, 10);
    let (_, headers, body) = xml(&world, &world.rpc("DescribeBackups", &[INSTANCE]).without("Format")).await;
    assert_eq!(elements(&body, "Code"), ["Throttling.User"]);
    assert!(headers.contains_key("x-acs-retry-after"), "{headers:?}");
    world.endpoint.set_keys(vec![Key::new(KEY, SECRET).deny("CreateBackup")]);
    let (_, _, body) = xml(&world, &world.rpc("CreateBackup", &[INSTANCE]).without("Format")).await;
    assert_eq!(elements(elements(&body, "AccessDeniedDetail")[0], "AuthAction"), ["rds:CreateBackup"], "{body}");
}

#[tokio::test]
async fn an_old_gateway_answers_in_xml_whatever_was_asked() {
    let world = World::with(|options| options.settings.quirks.xml_answers = true).await;
    let (_, _, body) = xml(&world, &world.rpc("DescribeBackups", &[INSTANCE]).with("Format", "JSON")).await;
    assert!(body.contains("<DescribeBackupsResponse>"), "{body}");
    let answer = world.call("DescribeBackups", &[INSTANCE]).await;
    assert_eq!(answer.headers["content-type"], "text/xml;charset=utf-8");
    assert!(world.endpoint.calls().iter().all(|call| call.answer == Format::Xml));
}
