//! What the worst answers cost: bodies of up to 1 MiB, made to become large when they are read, and listings of many megabytes that are
//! full of addresses, sent by a bare socket to the real client. The heap of this process is counted, so this file has one test and a
//! process of its own.

use std::{sync::Arc, time::Duration};

use peak_alloc::PeakAlloc;
use rds_backup_operator::{
    clock::Clock,
    entropy::Entropy,
    rds::{Client, ClientOptions, CreateBackup, InstanceId, SetQuery},
    rpc::{self, Credentials, Endpoint, Stamp},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most that the client keeps of a body.
const MIB: usize = 1024 * 1024;

/// The most that reading one answer may take, bytes: the body itself, its document, and what is kept of it. A body of 1 MiB that is nothing
/// but small values becomes 26 MiB, one of small objects 49 MiB.
const MOST: usize = 64 * MIB;

/// The most that reading a listing of real size may take, bytes: as much as is kept of a body at most, and as much again for a buffer that
/// grows and for what is made of it. The addresses in it are not kept.
const MOST_FOR_A_LISTING: usize = 2 * MIB;

/// A page of so many sets with so many databases each, and two addresses for each database.
fn listing(sets: usize, databases: usize, xml: bool) -> String {
    let token = "CAIS".repeat(200);
    let address = |host: &str, database: usize| {
        let and = if xml { "&amp;" } else { "&" };
        format!(
            "https://{host}.bak.rds.aliyuncs.com/ins1_{database}.zip?Expires=1{and}dbList=db{database}{and}security-token={token}{and}Signature=x%3D"
        )
    };
    let pair = |name: &str, value: &str| if xml { format!("<{name}>{value}</{name}>") } else { format!("\"{name}\":\"{value}\"") };
    let join = |fields: Vec<String>| fields.join(if xml { "" } else { "," });
    let many = |name: &str, rows: Vec<String>| match xml {
        true => rows.iter().map(|row| format!("<{name}>{row}</{name}>")).collect::<String>(),
        false => format!("\"{name}\":[{}]", rows.iter().map(|row| format!("{{{row}}}")).collect::<Vec<_>>().join(",")),
    };
    let inner = |name: &str, content: String| if xml { format!("<{name}>{content}</{name}>") } else { format!("\"{name}\":{{{content}}}") };
    let link = |database: usize| {
        join(vec![
            pair("DataBase", &format!("db{database}")),
            pair("DownloadLink", &address("public", database)),
            pair("IntranetDownloadLink", &address("internal", database)),
        ])
    };
    let set = |id: usize| {
        join(vec![
            pair("BackupId", &(321_020_000 + id).to_string()),
            pair("BackupStatus", "Success"),
            pair("BackupMode", "Manual"),
            pair("BackupStartTime", "2026-03-04T12:00:00Z"),
            pair("BackupDownloadURL", &address("public", 0)),
            inner("BackupDownloadLinkByDB", many("BackupDownloadLinkByDB", (0..databases).map(link).collect())),
            pair("IsAvail", "1"),
        ])
    };
    let body = join(vec![pair("TotalRecordCount", &sets.to_string()), inner("Items", many("Backup", (0..sets).map(set).collect()))]);
    if xml { format!("<DescribeBackupsResponse>{body}</DescribeBackupsResponse>") } else { format!("{{{body}}}") }
}

/// Pages as the service answers them, and how many sets each has.
fn listings() -> Vec<(&'static str, String, usize)> {
    vec![
        ("json: 19 sets, 100 databases", listing(19, 100, false), 19),
        ("json: a set, 400 databases", listing(1, 400, false), 1),
        ("json: 100 sets, 300 databases", listing(100, 300, false), 100),
        ("xml: 19 sets, 100 databases", listing(19, 100, true), 19),
        ("xml: a set, 400 databases", listing(1, 400, true), 1),
    ]
}

fn fill(head: &str, piece: &str, tail: &str) -> String {
    let mut body = String::with_capacity(MIB);
    body.push_str(head);
    while body.len() + piece.len() + tail.len() <= MIB {
        body.push_str(piece);
    }
    body.push_str(tail);
    body
}

fn bodies() -> Vec<(&'static str, String)> {
    vec![
        ("json: small numbers", fill("[0", ",0", "]")),
        ("json: empty lists", fill("[[]", ",[]", "]")),
        ("json: empty objects", fill("{\"Items\":{\"Backup\":[{}", ",{}", "]}}")),
        ("json: sets with an id", fill("{\"Items\":{\"Backup\":[{\"BackupId\":1}", ",{\"BackupId\":2}", "]}}")),
        ("json: jobs with an id", fill("{\"Items\":{\"BackupJob\":[{\"BackupJobId\":1}", ",{\"BackupJobId\":2}", "]}}")),
        ("json: deep", fill("", "[", "")),
        ("json: deep objects", fill("", "{\"a\":", "")),
        ("json: one long text", fill("{\"Code\":\"X\",\"Message\":\"", "aaaaaaaa", "\"}")),
        ("json: escapes", fill("{\"Code\":\"X\",\"Message\":\"", "\\u0041", "\"}")),
        ("xml: empty elements", fill("<Error>", "<a/>", "</Error>")),
        (
            "xml: sets with an id",
            fill("<DescribeBackupsResponse><Items>", "<Backup><BackupId>1</BackupId></Backup>", "</Items></DescribeBackupsResponse>"),
        ),
        ("xml: deep", fill("<Error>", "<a>", "")),
        ("xml: attributes", fill("<Error><a ", "b=\"\" ", "/></Error>")),
        ("xml: references", fill("<Error><Code>X</Code><Message>", "&amp;", "</Message></Error>")),
        (
            "xml: entities",
            format!(
                "<!DOCTYPE Error [{}]><Error><Code>&a9;</Code></Error>",
                (0..10).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect::<String>()
            ),
        ),
        ("xml: comments", fill("<Error>", "<!---->", "</Error>")),
        ("larger than is read", "x".repeat(10 * MIB)),
    ]
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the server is joined at the end")]
async fn no_answer_takes_more_memory_than_is_set_aside() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, mut next) = tokio::sync::mpsc::channel::<Arc<String>>(1);
    let server = tokio::spawn(async move {
        while let Some(body) = next.recv().await {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 16 * 1024];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The client hangs up where a body is too long.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
        }
    });
    let entropy = Entropy::system();
    let rpc = rpc::ClientOptions {
        call_timeout: Duration::from_secs(60),
        ..rpc::ClientOptions::new(Endpoint::parse(&url).expect("loopback"), Clock::system(), Arc::new(move || entropy.nonce()))
    };
    let client = Client::new(ClientOptions::new(rpc)).expect("a client");
    let credentials =
        Credentials { access_key_id: "key".into(), access_key_secret: "secret".to_owned().into(), security_token: None, expires_at: None };
    let id = InstanceId::new("rm-1");
    let create = CreateBackup {
        instance: id.clone(),
        method: None,
        strategy: None,
        databases: Vec::new(),
        backup_type: None,
        retention_days: None,
        resource_group_id: None,
    };

    let mut largest = 0;
    for (what, body) in bodies() {
        let body = Arc::new(body);
        for call in ["CreateBackup", "DescribeBackups", "DescribeBackupTasks", "DescribeDBInstanceAttribute"] {
            sender.send(body.clone()).await.expect("the server listens");
            let before = HEAP.current_usage();
            HEAP.reset_peak_usage();
            let outcome = match call {
                "CreateBackup" => {
                    let stamp = Stamp { nonce: what.to_string(), timestamp: client.now() };
                    format!("{:?}", client.create_backup(&credentials, &create, &stamp).await).len()
                }
                "DescribeBackups" => {
                    client.describe_backups(&credentials, &SetQuery::of(id.clone())).await.map_or(0, |answer| answer.value.sets.len())
                }
                "DescribeBackupTasks" => client.describe_backup_tasks(&credentials, &id, None).await.map_or(0, |answer| answer.value.len()),
                _ => client.describe_instance(&credentials, &id).await.map_or(0, |_| 1),
            };
            let took = HEAP.peak_usage().saturating_sub(before);
            largest = largest.max(took);
            println!("{what:<24} {call:<28} {:>9} bytes, {:>6.1} MiB at most ({outcome})", body.len(), took as f64 / MIB as f64);
            assert!(took < MOST, "{what}, {call}: {took} bytes");
        }
    }
    for (what, body, sets) in listings() {
        sender.send(Arc::new(body)).await.expect("the server listens");
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let read = client.describe_backups(&credentials, &SetQuery::of(id.clone())).await;
        let took = HEAP.peak_usage().saturating_sub(before);
        println!("{what:<32} {:>6.1} MiB at most", took as f64 / MIB as f64);
        assert_eq!(read.map(|answer| answer.value.sets.len()), Ok(sets), "{what}");
        assert!(took < MOST_FOR_A_LISTING, "{what}: {took} bytes");
    }
    println!("the most of all: {:.1} MiB", largest as f64 / MIB as f64);
    drop(sender);
    server.await.expect("the server ends");
}
