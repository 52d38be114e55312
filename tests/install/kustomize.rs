//! `kubectl apply -k deploy/install`.

use serde_json::{Value, json};

use super::cluster::{documents, on_plane, repository};

const NAMESPACE: &str = "rds-backup-system";

#[test]
fn one_command_installs_it_and_an_overlay_says_who_may_back_up_what() {
    on_plane(|cluster| async move {
        let home = repository().join("deploy/install").display().to_string();
        let apply = ["apply", "--server-side", "-k", &home];
        println!("{}", cluster.kubectl_ok(&apply).await);
        let pods = cluster.until("pods", NAMESPACE, "2 pods", |pods| pods.len() == 2).await;
        assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Pending"));
        let again = cluster.kubectl_ok(&apply).await;
        assert!(again.lines().all(|line| line.ends_with("serverside-applied")), "{again}");

        // The overlay of docs/install/kustomize.md, word for word.
        let page = std::fs::read_to_string(repository().join("docs/install/kustomize.md")).expect("docs/install/kustomize.md");
        let overlay = tempfile::tempdir_in(repository().join("deploy")).expect("a directory");
        let mut written = 0;
        for block in page.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            if let Some(name) = block.lines().next().and_then(|line| line.strip_prefix("# overlay/")) {
                std::fs::write(
                    overlay.path().join(name),
                    block.replace("https://github.com/OWNER/rds-backup-operator//deploy/install?ref=v0.1.0", "../install"),
                )
                .expect("a file");
                written += 1;
            }
        }
        assert!(written >= 2, "the page shows a kustomization and what it patches: {written}");
        let path = overlay.path().display().to_string();
        let built = cluster.kubectl_ok(&["kustomize", &path]).await;
        let objects = documents(&built);
        let one = |kind: &str, name: &str| -> &Value {
            objects
                .iter()
                .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
                .unwrap_or_else(|| panic!("no {kind} {name}"))
        };
        let config = one("ConfigMap", "rds-backup-operator")["data"]["config.yaml"].as_str().expect("a configuration").to_owned();
        assert!(config.contains("team-a"), "{config}");
        let secrets = &one("Role", "rds-backup-operator")["rules"][0];
        assert_eq!(
            (&secrets["resources"], &secrets["resourceNames"]),
            (&json!(["secrets"]), &json!(["rds-access-key", "rds-access-key-of-b"]))
        );
        cluster.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-k", &path]).await;
        // The operator itself takes that configuration.
        rds_backup_operator::config::Config::parse(&config).unwrap_or_else(|error| panic!("{error}"));

        // A CRD that goes before it is served goes slowly.
        cluster.served().await;
        cluster.kubectl_ok(&["delete", "-k", &home, "--ignore-not-found", "--timeout=90s"]).await;
        cluster.clean(&[NAMESPACE]).await;
    });
}
