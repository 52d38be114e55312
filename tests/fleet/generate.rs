//! `generate`: the same instances give the same bytes.

use rds_backup_operator::api::RdsBackupSchedule;
use rds_backup_sandbox::rds::{Catalogue, Engine, InstanceSpec};
use serde_json::Value;

use crate::world::{World, daily};

const ARGS: &[&str] =
    &["--tag", "backup=daily", "--schedule", "0 2 * * *", "--time-zone", "Asia/Shanghai", "--jitter", "1h", "-n", "backups"];

/// 130 instances with the tag, so that the listing has two pages, and one without it.
fn fleet() -> Catalogue {
    let mut catalogue = Catalogue::empty().with("rm-other", InstanceSpec::default());
    for number in 0..130 {
        let spec =
            if number % 2 == 0 { daily(Engine::MySQL, "8.0", "cloud_essd") } else { daily(Engine::PostgreSQL, "16.0", "cloud_essd") };
        catalogue = catalogue.with(&format!("rm-{number:03}"), spec);
    }
    catalogue
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_are_equal_whatever_the_order_of_the_pages_and_whatever_the_cluster_has() {
    let world = World::new(fleet()).await;
    let first = world.run("generate", ARGS).await;
    assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "{}", first.err);
    world.endpoint.update(|settings| settings.quirks.instances_backwards = true);
    assert_eq!(world.run("generate", ARGS).await.out, first.out);
    assert_eq!(world.objects.lock().unwrap().asked, [""; 0], "the cluster is not asked");
    assert_eq!(documents(&first.out).len(), 130);
    world.nothing_was_changed();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_instance_changes_its_own_block_and_no_other() {
    let world = World::new(fleet()).await;
    let before = world.run("generate", ARGS).await.out;
    world.endpoint.define("rm-0500-new", daily(Engine::SQLServer, "2019", "cloud_essd"));
    let after = world.run("generate", ARGS).await.out;
    let blocks = |text: &str| text.split("---\n").map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (blocks(&before), blocks(&after));
    let added: Vec<&String> = after.iter().filter(|block| !before.contains(block)).collect();
    assert_eq!((after.len(), added.len()), (before.len() + 1, 1));
    assert!(added[0].contains("name: rm-0500-new"), "{}", added[0]);
    let kept: Vec<&String> = after.iter().filter(|block| before.contains(block)).collect();
    assert_eq!(kept, before.iter().collect::<Vec<_>>(), "in the same order");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_is_a_schedule_that_the_operator_runs_with_the_method_of_its_engine() {
    let world = World::new(fleet()).await;
    let said = world.run("generate", ARGS).await;
    for (number, document) in documents(&said.out).into_iter().enumerate() {
        assert_eq!((&document["kind"], &document["metadata"]["namespace"]), (&"RdsBackupSchedule".into(), &"backups".into()));
        let schedule: RdsBackupSchedule = serde_json::from_value(document).expect("a schedule");
        assert_eq!(schedule.metadata.name, Some(format!("rm-{number:03}")));
        let template = &schedule.spec.template.spec;
        let method = template.method.map(|method| format!("{method:?}"));
        assert_eq!(method.as_deref(), Some(if number % 2 == 0 { "Snapshot" } else { "Physical" }));
        assert_eq!((template.db_instance_id.as_str(), template.account.as_str()), (format!("rm-{number:03}").as_str(), "main"));
        assert_eq!((schedule.spec.time_zone.as_str(), template.region_id.as_deref()), ("Asia/Shanghai", Some("cn-hangzhou")));
    }
    let said = world.run("generate", &[ARGS, &["-o", "helm-values"]].concat()).await;
    let values = documents(&said.out).remove(0);
    assert_eq!(values["rdsBackupSchedules"].as_object().map(serde_json::Map::len), Some(130));
    assert_eq!(values["rdsBackupSchedules"]["rm-001"]["template"]["spec"]["dbInstanceId"], "rm-001");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_the_operator_would_refuse_is_refused_here() {
    let world = World::new(fleet()).await;
    for (args, words) in [
        (&["--schedule", "0 2 * *"][..], "schedule"),
        (&["--schedule", "0 2 * * *", "--time-zone", "Nowhere"], "timeZone"),
        (&["--schedule", "0 * * * *", "--jitter", "45m"], "jitter"),
        (&["--schedule", "0 2 * * *", "--jitter", "soon"], "jitter"),
    ] {
        let said = world.run("generate", args).await;
        assert!(said.code == Some(2) && said.out.is_empty() && said.err.contains(words), "{args:?}: {:?} {}", said.code, said.err);
    }
    let said = world.run("generate", &["--schedule", "0 2 * * *", "--tag", "backup=never"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""));
    assert!(said.err.contains("no instance of account main in region cn-hangzhou has these tags"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kustomization_has_a_file_for_each_schedule_and_replaces_no_file_of_somebody_else() {
    let world = World::new(Catalogue::empty().with("rm-1", InstanceSpec::default()).with("rm-2", InstanceSpec::default())).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("schedules");
    let at = path.to_str().expect("text");
    let args = ["--schedule", "0 2 * * *", "-o", "kustomize", "--directory", at];
    let said = world.run("generate", &args).await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), format!("2 schedules in {at}, 3 of 3 files changed\n").as_str()), "{}", said.err);
    let read = |file: &str| std::fs::read_to_string(path.join(file)).expect("a file");
    assert_eq!(documents(&read("kustomization.yaml"))[0]["resources"], serde_json::json!(["rm-1.yaml", "rm-2.yaml"]));
    assert_eq!(documents(&read("rm-2.yaml"))[0]["spec"]["template"]["spec"]["dbInstanceId"], "rm-2");
    let before = (read("rm-1.yaml"), read("rm-2.yaml"));

    // One goes, one comes.
    world.endpoint.define("rm-1", InstanceSpec { status: "Released".into(), ..InstanceSpec::default() });
    world.endpoint.define("rm-3", InstanceSpec::default());
    let said = world.run("generate", &args).await;
    assert_eq!(said.out, format!("2 schedules in {at}, 2 of 3 files changed\n"));
    assert!(said.err.contains("rm-1.yaml: its schedule is not listed any more"), "{}", said.err);
    assert_eq!((read("rm-1.yaml"), read("rm-2.yaml")), before);
    assert_eq!(documents(&read("kustomization.yaml"))[0]["resources"], serde_json::json!(["rm-2.yaml", "rm-3.yaml"]));

    // A file that a person wrote stays, and nothing is written beside it.
    std::fs::write(path.join("rm-3.yaml"), "mine\n").expect("a file");
    world.endpoint.define("rm-4", InstanceSpec::default());
    let said = world.run("generate", &args).await;
    assert!(said.code == Some(1) && said.err.contains("rm-3.yaml: it was written by somebody else"), "{}", said.err);
    assert!(read("rm-3.yaml") == "mine\n" && !path.join("rm-4.yaml").exists());
    let said = world.run("generate", &["--schedule", "0 2 * * *", "-o", "kustomize"]).await;
    assert!(said.code == Some(2) && said.err.contains("--directory"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_tags_an_instance_has_all() {
    let with = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        InstanceSpec { tags, ..InstanceSpec::default() }
    };
    let catalogue = Catalogue::empty()
        .with("rm-both", with(&[("backup", "daily"), ("team", "a=b")]))
        .with("rm-one", with(&[("backup", "daily")]))
        .with("rm-other", with(&[("backup", "weekly"), ("team", "a=b")]));
    let world = World::new(catalogue).await;
    let said = world.run("generate", &["--schedule", "0 2 * * *", "--tag", "backup=daily", "--tag", "team=a=b"]).await;
    let names: Vec<Value> = documents(&said.out).into_iter().map(|document| document["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["rm-both"], "{}", said.err);
    // Each tag is asked for by itself: what several in one request mean is not published.
    let asked: Vec<String> = world.endpoint.calls().into_iter().map(|call| call.parameters["Tags"].clone()).collect();
    assert_eq!(asked, [r#"{"backup":"daily"}"#, r#"{"team":"a=b"}"#]);
}
