//! Turns between the namespaces of one account: one with hundreds of waiting backups does not delay another's first.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;

use crate::{
    life::{self, Ended},
    script::{Script, create},
    step::Step,
    world::{AnyRequest, LogEvent},
};

/// How many backups the first namespace has.
const MANY: usize = 500;

/// An account with these limits, and in the first second 500 backups of namespace a. `others`: the backups of other namespaces (second,
/// namespace). Every backup is of an instance of its own, which is named like its namespace.
fn queue(limits: &str, others: &[(u64, &str)]) -> Script {
    let mut script = Script::calm(Duration::from_secs(30 * 60));
    script.accounts = Some(format!(
        "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: {{ type: Secret, name: rds-key }}\n    limits: {limits}\n    \
         allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n"
    ));
    script.instances.clear();
    let of_a = (0..MANY).map(|_| (1, "a"));
    for (number, (second, namespace)) in of_a.chain(others.iter().copied()).enumerate() {
        let instance = format!("rm-{namespace}-{number}");
        script.instances.insert(instance.clone(), "local_ssd");
        script = script.at(second, create(namespace, &format!("b{number}"), json!({ "dbInstanceId": instance })));
    }
    script
}

/// A request at the cloud.
struct Asked {
    second: f64,
    namespace: String,
    is_create: bool,
}

/// All requests at the cloud, in their order.
fn requests(script: &Script, ended: &Ended) -> Vec<Asked> {
    ended.world.with(|state, _| {
        let asked = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Done(AnyRequest::Cloud(step, call), _) => Some(Asked {
                second: line.at.duration_since(script.begins).as_secs_f64(),
                namespace: call.param("DBInstanceId").split('-').nth(1).unwrap_or_default().to_owned(),
                is_create: *step == Step::Create,
            }),
            _ => None,
        });
        asked.collect()
    })
}

/// One letter for each request in its order: the namespace, in upper case for a CreateBackup.
fn order(requests: &[Asked]) -> String {
    let mut line = String::new();
    for (number, asked) in requests.iter().enumerate() {
        if number % 100 == 0 {
            let _ = write!(line, "\n{:6.1} s  ", asked.second);
        }
        let letter = asked.namespace.chars().next().unwrap_or('?');
        line.push(if asked.is_create { letter.to_ascii_uppercase() } else { letter });
    }
    line
}

/// The CreateBackups of a namespace: their seconds, and how many of the other namespaces left between `since` and each.
fn creates(requests: &[Asked], namespace: &str, since: f64) -> Vec<(f64, usize)> {
    let all = requests.iter().filter(|asked| asked.is_create && asked.second >= since);
    let mut others = 0;
    let mut found = Vec::new();
    for asked in all {
        if asked.namespace == namespace {
            found.push((asked.second, others));
        } else {
            others += 1;
        }
    }
    found
}

#[test]
fn five_hundred_queued_backups_of_one_namespace_do_not_delay_the_first_of_another() {
    // The usual limits are 5 requests and 10 reads a second. With one request a second each waits for the one before it.
    for (limits, at, soon) in [("{}", 1, 8.0), ("{}", 10, 2.5), ("{ createPerSecond: 1 }", 10, 6.0)] {
        let mut script = queue(limits, &[(at, "b")]);
        script.lasts = Some(Duration::from_secs(at + 24));
        let ended = life::run(&script);
        let requests = requests(&script, &ended);
        let since = at as f64;
        let found = creates(&requests, "b", since);
        println!("limits {limits}, the backup of b is made after {at} s; (second, requests of a before it) {found:?}{}", order(&requests));
        assert_eq!(found.len(), 1, "limits {limits}: the backup of b was asked for {} times", found.len());
        let (second, before) = found[0];
        assert!(second - since < soon, "limits {limits}: the first of b was asked for after {:.1} s", second - since);
        assert!(before <= 12, "limits {limits}: {before} of a were asked for before the first of b");
    }
}
