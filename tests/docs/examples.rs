//! The GitOps examples of deploy/: each line to change is marked, and no gate gives up before its backup.

use jiff::SignedDuration;
use serde_json::Value;

use crate::{files, read};

const EXAMPLES: [&str; 2] = ["deploy/argocd", "deploy/flux"];

/// Whatever is not published, or belongs to somebody's own cloud account.
const OWN: [&str; 6] = ["example.com", "tag:", "targetRevision:", "regionId:", "credentials:", "namespaces:"];

fn examples() -> Vec<(String, String)> {
    let here = |file: &std::path::PathBuf| EXAMPLES.iter().any(|folder| file.starts_with(folder));
    files(".yaml").into_iter().filter(here).map(|file| (file.display().to_string(), read(&file))).collect()
}

/// The lines that a user has to change and that are not marked.
fn unmarked(text: &str) -> Vec<&str> {
    let is_own = |line: &&str| !line.trim_start().starts_with('#') && OWN.iter().any(|word| line.contains(word));
    text.lines().filter(is_own).filter(|line| !line.contains("# change")).collect()
}

#[test]
fn each_line_that_a_user_must_change_is_marked() {
    let mut marked = 0;
    for (file, text) in examples() {
        assert_eq!(unmarked(&text), Vec::<&str>::new(), "{file}: mark the line with `# change`");
        if text.contains("# change") {
            assert!(
                text.lines().next().is_some_and(|line| line.contains(r#"change each line marked "change""#)),
                "{file} does not say so in its head"
            );
            marked += 1;
        }
    }
    assert_eq!(marked, 2, "examples with marked lines: the HelmRelease and the Application");
    assert_eq!(unmarked("a: 1\nurl: https://git.example.com/x\n# tag: v1\n"), ["url: https://git.example.com/x"]);
}

fn length(value: &Value) -> Option<SignedDuration> {
    value.as_str().map(|text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

#[test]
fn a_gate_waits_longer_than_its_backup_may_take() {
    let mut longest_backup = SignedDuration::ZERO;
    let mut gates = Vec::new();
    for (file, text) in examples() {
        for object in serde_saphyr::from_multiple::<Value>(&text).unwrap_or_else(|error| panic!("{file}: {error}")) {
            let (spec, name) = (&object["spec"], object["metadata"]["name"].as_str().unwrap_or_default());
            match object["kind"].as_str() {
                Some("RdsBackup") => {
                    let both = [&spec["queueTimeout"], &spec["timeout"]]
                        .map(|field| length(field).unwrap_or_else(|| panic!("{file}: both are set")));
                    longest_backup = longest_backup.max(both[0] + both[1]);
                }
                Some("Kustomization") if name.contains("backup") => {
                    assert!(spec["wait"] == true && spec["retryInterval"].is_string(), "{file}");
                    gates.push((file.clone(), length(&spec["timeout"]).expect("a timeout")));
                }
                Some("Job") => {
                    gates.push((file.clone(), SignedDuration::from_secs(spec["activeDeadlineSeconds"].as_i64().expect("a deadline"))))
                }
                _ => {}
            }
        }
    }
    assert_eq!(gates.len(), 3, "two Kustomizations and a Job: {gates:?}");
    assert!(longest_backup >= SignedDuration::from_hours(1), "the examples have backups: {longest_backup}");
    for (file, gate) in gates {
        assert!(gate > longest_backup, "{file}: {gate} against {longest_backup}");
    }
}
