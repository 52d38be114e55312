//! What is said where a right, a key or an account is missing.

use rds_backup_sandbox::rds::{Catalogue, Engine, Key};

use crate::world::{KEY, SECRET, World, daily};

fn catalogue() -> Catalogue {
    Catalogue::empty().with("rm-1", daily(Engine::MySQL, "8.0", "local_ssd"))
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_told_together_by_action_and_by_verb() {
    let world = World::with_keys(catalogue(), vec![Key::new(KEY, SECRET).deny("DescribeDBInstances")]).await;
    world.has(|objects| objects.forbidden = vec!["rdsbackupschedules", "rdsbackups"]);
    let said = world.run("report", &["-A"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{}", said.err);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", said.err);
    assert!(lines[0].contains("may not call rds:DescribeDBInstances in region cn-hangzhou"), "{}", lines[0]);
    assert!(lines[1].contains("\"anna\" may not list rdsbackupschedules.rdsbackup.io in all namespaces"), "{}", lines[1]);
    assert!(lines[1].contains("kubectl create clusterrolebinding"), "{}", lines[1]);
    assert!(lines[1].ends_with("grants it, or ask for one namespace with -n"), "{}", lines[1]);
    let said = world.run("report", &["-n", "team-a"]).await;
    let bind = "kubectl create rolebinding rds-backup-operator-view-by-hand -n team-a --clusterrole=rds-backup-operator-view --user=anna";
    assert!(said.code == Some(3) && said.err.contains(bind) && !said.err.contains("or ask for one"), "{}", said.err);
    // The claims of one namespace alone would offer the sets of the others.
    let said = world.run("orphans", &["--instance", "rm-1"]).await;
    assert!(said.code == Some(3) && said.err.contains("may not list rdsbackups.rdsbackup.io in all namespaces"), "{}", said.err);
    assert!(!said.err.contains("-n"), "{}", said.err);
    assert_eq!(world.run("generate", &["--schedule", "0 2 * * *"]).await.code, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sets_of_an_instance_need_a_right_of_their_own() {
    let world = World::with_keys(catalogue(), vec![Key::new(KEY, SECRET).deny("DescribeBackups")]).await;
    let said = world.run("orphans", &[]).await;
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("rm-1: the access key of account main may not call rds:DescribeBackups"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_in_a_secret_of_the_operators_namespace() {
    let world = World::new(catalogue()).await;
    let said = world.run_for("by-secret", "generate", &["--schedule", "0 2 * * *", "--operator-namespace", "ops"]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.err);
    assert!(said.out.contains("name: rm-1"), "{}", said.out);
    // In the namespace of the context there is none.
    let said = world.run_for("by-secret", "generate", &["--schedule", "0 2 * * *"]).await;
    assert!(said.code == Some(3) && said.err.contains("Secret rds-key") && said.err.contains("namespace team-a"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_listed_is_refused_before_anything_is_asked() {
    let world = World::new(catalogue()).await;
    for (account, words) in [
        ("tenants", "its credentials are of type TenantSecret"),
        ("mian", "the configuration has no such account; it has by-secret, main, tenants"),
    ] {
        let said = world.run_for(account, "generate", &["--schedule", "0 2 * * *"]).await;
        assert!(said.code == Some(3) && said.err.contains(words), "{}", said.err);
    }
    assert_eq!(world.endpoint.calls().len(), 0);
    let said = world.run("generate", &["--schedule", "0 2 * * *", "--tag", "backup"]).await;
    assert!(said.code == Some(2) && said.err.contains("write a tag as key=value"), "{}", said.err);
}
