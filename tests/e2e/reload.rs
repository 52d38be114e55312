//! The configuration changes ten times under load: the operator takes it without a restart, and what it sends is what the list allows.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rds_backup_sandbox::world::{Operator, StartOperator};
use serde_json::json;

use crate::site::{Site, at_site, log_lines};

/// A request that has left is not called back: it is dealt with by then, also on a busy machine.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How long a change is watched. Of the requests that wait for the limits when it comes, the last one would leave within 5 s.
const WATCHED: Duration = Duration::from_secs(6);

/// What a file says. Red and blue are instances of the account default, green those of the account spare.
#[derive(Clone, Copy)]
struct File {
    red: bool,
    blue: bool,
    /// Whether there is the account spare.
    spare: bool,
    paused: bool,
}

/// The allow-list of the world's account.
const EVERYTHING: &str = r#"[{ namespaces: ["*"], instances: ["*"], regions: ["*"] }]"#;

/// All are allowed.
const ALL: File = File { red: true, blue: true, spare: true, paused: false };

enum Change {
    Valid(&'static str, File),
    /// A text, what stands in its place, and the word that the operator names.
    Invalid(&'static str, &'static str, &'static str),
}

const CHANGES: [Change; 10] = [
    Change::Valid("blue is taken out", File { blue: false, ..ALL }),
    Change::Invalid("poll: {", "polls: {", "polls"),
    Change::Valid("blue is back, red is taken out", File { red: false, ..ALL }),
    Change::Valid("the account spare is removed", File { spare: false, ..ALL }),
    Change::Invalid("limits: {", "limitz: {", "limitz"),
    Change::Valid("the account spare is added", ALL),
    Change::Valid("the account default is paused", File { paused: true, ..ALL }),
    Change::Invalid("submissions: Enabled", "submissions: Pausd", "Pausd"),
    Change::Valid("only green is allowed", File { red: false, blue: false, ..ALL }),
    Change::Valid("all are allowed", ALL),
];

impl File {
    fn text(&self, site: &Site) -> String {
        let world = site.world.operator_config("");
        let (head, account) = world.split_once("  default:\n").expect("the account default");
        let account = |name: &str, colours: &[&str], more: &str| {
            let patterns: Vec<String> = colours.iter().map(|colour| format!("\"rm-mysql-{colour}*\"")).collect();
            let rule = format!("[{{ namespaces: [\"*\"], instances: [{}], regions: [\"*\"] }}]", patterns.join(", "));
            assert!(account.contains(EVERYTHING), "{account}");
            format!("  {name}:\n{}    limits: {{ createPerSecond: 1 }}\n{more}", account.replace(EVERYTHING, &rule))
        };
        let of_default: Vec<&str> =
            [(self.red, "red"), (self.blue, "blue")].into_iter().filter(|(is, _)| *is).map(|(_, colour)| colour).collect();
        let default = account("default", &of_default, if self.paused { "    submissions: Paused\n" } else { "" });
        let spare = if self.spare { account("spare", &["green"], "") } else { String::new() };
        format!("{head}{default}{spare}")
    }

    /// Whether requests for an instance of this colour may leave, and whether CreateBackup may.
    fn allows(&self, colour: &str) -> (bool, bool) {
        match colour {
            "red" => (self.red, self.red && !self.paused),
            "blue" => (self.blue, self.blue && !self.paused),
            _ => (self.spare, self.spare),
        }
    }
}

struct Load<'a> {
    site: &'a Site,
    names: Vec<(String, &'static str, String)>,
}

impl Load<'_> {
    /// Two more objects of each colour, each with an instance of its own.
    async fn add(&mut self) {
        let mut items = Vec::new();
        for (colour, account) in [("red", "default"), ("blue", "default"), ("green", "spare")] {
            for _ in 0..2 {
                let name = format!("{colour}-{}", self.names.len());
                let instance = self.site.instance(&format!("rm-mysql-{name}"));
                items.push(json!({
                    "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup", "metadata": { "name": name, "namespace": self.site.namespace },
                    "spec": { "dbInstanceId": instance, "account": account, "method": "Physical" },
                }));
                self.names.push((name, colour, instance));
            }
        }
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
        self.site.kubectl().run_with_input(&["create", "-f", "-"], &list).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// How many calls there were for a colour, and how many of them were CreateBackup.
    fn calls(&self, colour: &str) -> (usize, usize) {
        let of_colour = |instance: &str| self.names.iter().any(|(_, known, named)| *known == colour && named == instance);
        let calls: Vec<_> = self.site.rds().calls().into_iter().filter(|call| of_colour(&call.instance)).collect();
        (calls.len(), calls.iter().filter(|call| call.action == "CreateBackup").count())
    }
}

async fn get(operator: &Operator, path: &str) -> String {
    operator.get(path).await.expect("an answer").body
}

/// Waits until the operator says so, and says how long that took.
async fn until(operator: &Operator, path: &str, what: &str, wanted: impl Fn(&str) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let text = get(operator, path).await;
        if wanted(&text) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what} is not told:\n{text}\n{}", operator.log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How often the log says so.
fn said(operator: &Operator, words: &str) -> usize {
    log_lines(operator.log()).iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains(words))).count()
}

fn value(metrics: &str, name: &str) -> Option<String> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
}

const SUCCESSFUL: &str = "rdsbackup_operator_config_last_reload_successful";
const IN_FORCE: &str = "the configuration was read anew and is in force";

#[test]
fn a_configuration_that_changes_ten_times_under_load_is_kept_to_without_a_restart() {
    at_site(|site| async move {
        let path: PathBuf = site.config(&[]);
        std::fs::write(&path, ALL.text(&site)).unwrap();
        let mut operator = site.operator_with(StartOperator { config: Some(path.clone()), ..StartOperator::default() }).await;
        let started = value(&get(&operator, "/metrics").await, "process_start_time_seconds");
        let mut load = Load { site: &site, names: Vec::new() };
        let mut file = ALL;
        let colours = ["red", "blue", "green"];
        for (number, change) in CHANGES.iter().enumerate() {
            let began = colours.map(|colour| load.calls(colour));
            load.add().await;
            // Some have sent, some are about to, some wait for the limits.
            tokio::time::sleep(Duration::from_millis(2500)).await;
            let taken = said(&operator, IN_FORCE);
            let (what, held_after) = match change {
                Change::Valid(what, next) => {
                    file = *next;
                    std::fs::write(&path, file.text(&site)).unwrap();
                    let began = Instant::now();
                    while said(&operator, IN_FORCE) == taken {
                        assert!(began.elapsed() < Duration::from_secs(60), "{what}: it is not in force\n{}", operator.log_tail());
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    let held_after = began.elapsed();
                    until(&operator, "/metrics", what, |text| value(text, SUCCESSFUL).as_deref() == Some("1")).await;
                    until(&operator, "/readyz?verbose", what, |text| text.starts_with("ok\n") && !text.contains("configuration file"))
                        .await;
                    (*what, held_after)
                }
                Change::Invalid(from, to, word) => {
                    let text = ALL.text(&site);
                    assert!(text.contains(from), "{text}");
                    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
                    let refused = until(&operator, "/metrics", to, |text| value(text, SUCCESSFUL).as_deref() == Some("0")).await;
                    let told = |text: &str| {
                        text.starts_with("ok\n") && text.contains("configuration before it stays in force") && text.contains(word)
                    };
                    until(&operator, "/readyz?verbose", to, told).await;
                    assert!(said(&operator, word) == 1 && said(&operator, "line ") > 0, "{to}: {}", operator.log_tail());
                    assert_eq!(said(&operator, IN_FORCE), taken);
                    (*to, refused)
                }
            };
            tokio::time::sleep(ON_ITS_WAY).await;
            let before = colours.map(|colour| load.calls(colour));
            tokio::time::sleep(WATCHED).await;
            let after = colours.map(|colour| load.calls(colour));
            println!(
                "change {}: {what}: told after {} ms; calls (and creates) of red, blue, green: {before:?} -> {after:?}",
                number + 1,
                held_after.as_millis()
            );
            for (((colour, began), before), after) in colours.iter().zip(began).zip(before).zip(after) {
                let (calls, creates) = file.allows(colour);
                assert!(calls || before.0 == after.0, "{what}: {colour} is forbidden and was called for\n{}", operator.log_tail());
                assert!(creates || before.1 == after.1, "{what}: nothing may be requested for {colour}\n{}", operator.log_tail());
                assert!(!creates || after.0 > began.0, "{what}: {colour} is allowed and nothing happens\n{}", operator.log_tail());
            }
            let metrics = get(&operator, "/metrics").await;
            assert_eq!(metrics.contains(r#"account="spare""#), file.spare, "{what}: the series of an account go with it");
        }
        for (name, _, instance) in &load.names {
            site.until_phase(name, "Succeeded").await;
            assert_eq!(site.rds().accepted(instance), 1, "{name}");
        }
        assert!(operator.ended_already().expect("a state").is_none());
        assert_eq!(value(&get(&operator, "/metrics").await, "process_start_time_seconds"), started, "it is the same process");
        assert_eq!(said(&operator, IN_FORCE), 7, "{}", operator.log_tail());
    });
}
