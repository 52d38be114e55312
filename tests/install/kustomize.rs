//! `kubectl apply -k deploy/install`.

use serde_json::{Value, json};

use super::cluster::{Cluster, documents, on_plane, repository};

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

        // The overlay of docs/install/kustomize.md, word for word, and the layer above it.
        let page = std::fs::read_to_string(repository().join("docs/install/kustomize.md")).expect("docs/install/kustomize.md");
        let overlay = tempfile::tempdir_in(repository().join("deploy")).expect("a directory");
        let (mut written, mut above) = (0, None);
        for block in page.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            if let Some(name) = block.lines().next().and_then(|line| line.strip_prefix("# overlay/")) {
                std::fs::write(
                    overlay.path().join(name),
                    block.replace("https://github.com/OWNER/rds-backup-operator//deploy/install?ref=v0.1.0", "../install"),
                )
                .expect("a file");
                written += 1;
            } else if block.starts_with("# above/kustomization.yaml") {
                above = Some(block);
            }
        }
        assert!(written >= 2, "the page shows a kustomization and what it patches: {written}");
        in_another_namespace(&cluster, above.expect("the page shows how to install it in another namespace")).await;
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

/// In an overlay with `namespace:` all objects are moved; in the layer above it the Role for the lease is back in its place.
async fn in_another_namespace(cluster: &Cluster, above: &str) {
    let scratch = tempfile::tempdir_in(repository().join("deploy")).expect("a directory");
    for (layer, text) in [("overlay", "resources: [../../install]\nnamespace: ops\n"), ("above", above)] {
        std::fs::create_dir(scratch.path().join(layer)).expect("a directory");
        std::fs::write(scratch.path().join(layer).join("kustomization.yaml"), text).expect("a file");
    }
    for (layer, expected) in [("overlay", "ops"), ("above", "kube-system")] {
        let built = documents(&cluster.kubectl_ok(&["kustomize", &scratch.path().join(layer).display().to_string()]).await);
        for kind in ["Role", "RoleBinding"] {
            let of_lease =
                |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == "rds-backup-system-rds-backup-operator-lease";
            let object = built.iter().find(of_lease).unwrap_or_else(|| panic!("no {kind}"));
            assert_eq!(object["metadata"]["namespace"], expected, "{layer}");
            assert!(kind == "Role" || object["subjects"][0]["namespace"] == "ops", "{layer}: {object}");
        }
        let deployment = built.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");
        assert_eq!(deployment["metadata"]["namespace"], "ops");
    }
}
