//! The YAML of the documentation, sorted by its reader: the API server, the operator, Helm, other programs.

use std::{collections::BTreeMap, path::PathBuf};

use rds_backup_operator::config::Config;
use serde_json::Value;

use crate::{files, markdown::Page, read};

/// Kinds that the API server of a plain cluster does not know: their snippets are only parsed. Objects of the kinds that it knows are
/// applied to it. Any other kind fails, so that a misspelt kind is found.
const ELSEWHERE: &[(&str, &str)] = &[
    ("argoproj.io/v1alpha1", "Application"),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
    ("kustomize.config.k8s.io/v1alpha1", "Component"),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository"),
    ("source.toolkit.fluxcd.io/v1", "OCIRepository"),
];

/// The first line of a snippet that is not a Kubernetes object.
const CONFIG: &str = "# config.yaml";
const VALUES: &str = "# values";

/// An object for the API server.
pub struct Object {
    pub from: String,
    pub value: Value,
}

/// All YAML of the documentation.
#[derive(Default)]
pub struct Found {
    pub objects: Vec<Object>,
    /// Objects that other programs read, by kind.
    pub elsewhere: BTreeMap<String, usize>,
    pub configurations: usize,
    pub wrong: Vec<String>,
}

impl Found {
    /// The YAML of README.md and docs/.
    pub fn everywhere() -> Self {
        let mut found = Self::default();
        let shown = |file: &PathBuf| file.starts_with("docs") || file.ends_with("README.md");
        for file in files(".md").into_iter().filter(shown) {
            for snippet in Page::read(&read(&file)).snippets {
                let from = format!("{}:{}", file.display(), snippet.line);
                match snippet.language.as_str() {
                    "yaml" | "yml" => found.sort(&from, &snippet.text),
                    "sh" | "console" => here_documents(&snippet.text).iter().for_each(|text| found.sort(&from, text)),
                    _ => {}
                }
            }
        }
        found
    }

    fn configuration(&mut self, from: &str, text: &str) {
        self.configurations += 1;
        self.wrong.extend(Config::parse(text).err().map(|error| format!("{from}: {error}")));
    }

    /// The accounts of Helm values are those of the configuration.
    fn accounts(&mut self, from: &str, values: &Value) {
        if values["accounts"].is_object() {
            self.configuration(from, &serde_json::json!({ "accounts": values["accounts"] }).to_string());
        }
    }

    fn sort(&mut self, from: &str, text: &str) {
        let first = text.lines().next().unwrap_or_default();
        if first.starts_with(CONFIG) {
            return self.configuration(from, text);
        }
        let documents = match serde_saphyr::from_multiple::<Value>(text) {
            Ok(documents) => documents,
            Err(error) => return self.wrong.push(format!("{from}: {error}")),
        };
        if first.starts_with(VALUES) {
            documents.iter().for_each(|values| self.accounts(from, values));
            *self.elsewhere.entry("Helm values".to_owned()).or_default() += 1;
            return;
        }
        if documents.is_empty() {
            self.wrong.push(format!("{from}: there is nothing in it"));
        }
        for value in documents {
            let (Some(version), Some(kind)) = (value["apiVersion"].as_str(), value["kind"].as_str()) else {
                self.wrong.push(format!("{from}: no apiVersion and kind; a first line {CONFIG:?} or {VALUES:?} says what else it is"));
                continue;
            };
            if let Some(text) = value["data"]["config.yaml"].as_str().filter(|_| kind == "ConfigMap") {
                self.configuration(from, text);
            }
            if ELSEWHERE.contains(&(version, kind)) {
                *self.elsewhere.entry(format!("{version} {kind}")).or_default() += 1;
            } else {
                self.objects.push(Object { from: from.to_owned(), value });
            }
        }
    }
}

/// The text that a shell feeds to kubectl: from `<<EOF` to `EOF`.
fn here_documents(shell: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = shell.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("kubectl ") && line.ends_with("<<EOF") {
            let inner: Vec<&str> = lines.by_ref().take_while(|line| *line != "EOF").collect();
            found.push(inner.join("\n"));
        }
    }
    found
}

#[test]
fn every_snippet_is_read_by_somebody() {
    let found = Found::everywhere();
    println!("{} objects, {} configurations, elsewhere: {:?}", found.objects.len(), found.configurations, found.elsewhere);
    assert!(found.wrong.is_empty(), "\n{}", found.wrong.join("\n"));
    assert!(!found.objects.is_empty() && found.configurations > 0, "no snippet was found");
}

#[test]
fn a_wrong_snippet_is_found() {
    for wrong in [
        "# config.yaml\naccounts: {}\n",
        "# values.yaml\naccounts: { a: { regionId: nowhere } }\n",
        "apiVersion: v1\nkind: ConfigMap\ndata: { config.yaml: \"accounts: {}\" }\n",
        "# config.yaml\naccounts:\n  a: { regionId: cn-hangzhou, credentials: { type: Auto }, allow: [], colour: red }\n",
        "a: b: c\n",
        "a: b\n",
        "kind: Secret\n",
        "",
    ] {
        let mut found = Found::default();
        found.sort("here", wrong);
        assert_eq!(found.wrong.len(), 1, "{wrong:?}");
    }
    let mut found = Found::default();
    found.sort(
        "here",
        "apiVersion: v1\nkind: Secret\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\n---\napiVersion: a/v1\nkind: Secrte\n",
    );
    assert_eq!(here_documents("true\nkubectl apply -f - <<EOF\na: 1\nb: 2\nEOF\nfalse\n"), ["a: 1\nb: 2"]);
    assert_eq!(
        (found.objects.len(), found.elsewhere.len(), found.wrong.len()),
        (2, 1, 0),
        "the misspelt one is the API server's to refuse"
    );
}
