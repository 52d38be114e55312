//! DescribeDBInstances: what is listed, by which filters, on which pages.

use rds_backup_sandbox::rds::{Catalogue, Engine, InstanceSpec, Quirks};
use serde_json::Value;

use super::world::World;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// Twelve instances: every third is tagged `backup=daily`, every fourth `team=a`; one is in another region, one is released.
async fn town() -> World {
    let mut catalogue = Catalogue::empty().with("rm-pattern-*", InstanceSpec::default());
    for number in 0..12 {
        let mut spec = InstanceSpec { description: format!("shop {number}"), ..InstanceSpec::default() };
        if number % 3 == 0 {
            spec.tags.insert("backup".into(), "daily".into());
        }
        if number % 4 == 0 {
            spec.tags.insert("team".into(), "a".into());
        }
        catalogue = catalogue.with(&format!("rm-{number:02}"), spec);
    }
    let elsewhere = InstanceSpec { region: "cn-shanghai".into(), ..InstanceSpec::default() };
    let gone = InstanceSpec { status: "Released".into(), ..InstanceSpec::default() };
    let reader = InstanceSpec { kind: "Readonly".into(), ..InstanceSpec::new(Engine::PostgreSQL, "16.0", "cloud_essd") };
    let catalogue = catalogue.with("rm-elsewhere", elsewhere).with("rm-gone", gone).with("pgr-1", reader);
    World::with(|options| options.catalogue = catalogue).await
}

fn ids(answer: &Value) -> Vec<&str> {
    let rows = answer["Items"]["DBInstance"].as_array().unwrap_or_else(|| panic!("{answer}"));
    rows.iter().map(|row| row["DBInstanceId"].as_str().unwrap()).collect()
}

async fn list(world: &World, parameters: &[(&str, &str)]) -> Value {
    world.call("DescribeDBInstances", &[&[REGION], parameters].concat()).await.json()
}

#[tokio::test]
async fn an_instance_is_listed_in_its_region_until_it_is_released() {
    let world = town().await;
    let all = list(&world, &[]).await;
    assert_eq!((all["TotalRecordCount"].as_u64(), all["PageNumber"].as_u64(), ids(&all).len()), (Some(13), Some(1), 13));
    assert!(!ids(&all).contains(&"rm-elsewhere") && !ids(&all).contains(&"rm-gone"));
    let row = &all["Items"]["DBInstance"][0];
    assert_eq!((row["DBInstanceId"].as_str(), row["DBInstanceType"].as_str()), (Some("pgr-1"), Some("Readonly")));
    assert_eq!((row["Engine"].as_str(), row["MasterInstanceId"].as_str()), (Some("PostgreSQL"), Some("pgr-1-primary")));
    let shanghai = world.call("DescribeDBInstances", &[("RegionId", "cn-shanghai")]).await.json();
    assert_eq!(ids(&shanghai), ["rm-elsewhere"]);
    // One of a pattern is there as soon as it has been asked for.
    world.create("rm-pattern-1", &[]).await;
    assert!(ids(&list(&world, &[]).await).contains(&"rm-pattern-1"));
}

#[tokio::test]
async fn tags_narrow_the_list() {
    let world = town().await;
    assert_eq!(ids(&list(&world, &[("Tags", r#"{"backup":"daily"}"#)]).await), ["rm-00", "rm-03", "rm-06", "rm-09"]);
    assert_eq!(ids(&list(&world, &[("Tags", r#"{"backup":"daily","team":"a"}"#)]).await), ["rm-00"]);
    assert_eq!(ids(&list(&world, &[("Tags", r#"{"backup":"weekly"}"#)]).await), [""; 0]);
    assert_eq!(ids(&list(&world, &[("DBInstanceType", "Readonly")]).await), ["pgr-1"]);
    assert_eq!(ids(&list(&world, &[("DBInstanceId", "rm-05"), ("Engine", "MySQL")]).await), ["rm-05"]);
}

#[tokio::test]
async fn pages_by_number_tell_the_total_and_pages_by_token_do_not() {
    let world = town().await;
    let page = |number: &'static str| [("PageSize", "5"), ("PageNumber", number)];
    let mut found = Vec::new();
    for number in ["1", "2", "3", "4"] {
        let answer = list(&world, &page(number)).await;
        assert_eq!((answer["TotalRecordCount"].as_u64(), answer["PageNumber"].to_string()), (Some(13), number.to_owned()));
        found.extend(ids(&answer).into_iter().map(str::to_owned));
    }
    assert_eq!((found.len(), found[4].as_str()), (13, "rm-03"));
    let (mut by_token, mut token) = (Vec::new(), None::<String>);
    loop {
        let next = token.as_deref().map(|token| ("NextToken", token));
        let answer = list(&world, &[("MaxResults", "5")].into_iter().chain(next).collect::<Vec<_>>()).await;
        assert_eq!((answer["TotalRecordCount"].as_u64(), answer["PageNumber"].as_u64()), (Some(ids(&answer).len() as u64), Some(1)));
        by_token.extend(ids(&answer).into_iter().map(str::to_owned));
        token = answer["NextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(by_token, found);
    world.endpoint.update(|settings| settings.quirks = Quirks { instances_backwards: true, ..Quirks::default() });
    assert_eq!(ids(&list(&world, &page("1")).await)[0], "rm-11");
}

#[tokio::test]
async fn what_the_documentation_does_not_allow_is_refused() {
    let world = town().await;
    for (parameters, verdict) in [
        (&[("PageSize", "101")][..], "400 InvalidParameter"),
        (&[("PageSize", "0")], "400 InvalidParameter"),
        (&[("PageNumber", "0")], "400 InvalidPageNumbers.Malformed"),
        (&[("PageSize", "30"), ("MaxResults", "30")], "400 InvalidParameterCombination"),
        (&[("NextToken", "made-up")], "400 InvalidParameter"),
        (&[("Tags", "backup=daily")], "400 InvalidTags.Format"),
        (&[("Tags", r#"{"backup":1}"#)], "400 InvalidTags.Format"),
        (&[("Tags", r#"{"a":"","b":"","c":"","d":"","e":"","f":""}"#)], "400 InvalidTags.Format"),
        (&[("DBInstanceType", "primary")], "400 InvalidParameter"),
        (&[("Novelty", "x")], "400 UnsupportedParameter"),
    ] {
        assert_eq!(world.verdict("DescribeDBInstances", &[&[REGION], parameters].concat()).await, verdict, "{parameters:?}");
    }
    assert_eq!(world.verdict("DescribeDBInstances", &[]).await, "400 MissingParameter");
    // The other calls still have to name an instance.
    assert_eq!(world.verdict("DescribeBackups", &[]).await, "400 MissingParameter");
}
