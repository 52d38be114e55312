//! DescribeDBInstances: the instances that an account has in a region, page by page. An instance that a listing misses would count as
//! one that nobody has to back up, so a listing is whole, or it is an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    call::Answer,
    client::{Client, pair},
    error::CallError,
    ids::InstanceId,
    model::Instance,
    wire,
};
use crate::rpc::{Credentials, text};

const DESCRIBE_DB_INSTANCES: &str = "DescribeDBInstances";

/// `PageSize`: the most that the service takes.
const ROWS: usize = 100;

/// 10,000 instances. The largest quota of an account that is published is far below.
const MOST_PAGES: usize = 100;

/// One instance, from DescribeDBInstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedInstance {
    /// What every call tells of an instance. `Category` is documented for some requests only.
    pub instance: Instance,
    /// `DBInstanceDescription`: the name that people gave it.
    pub description: Option<String>,
    /// `ZoneId`
    pub zone_id: Option<String>,
    /// `ExpireTime`; none of an instance that is paid by use.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// DescribeDBInstances, all pages of it, at most 100: the instances of the client's region, with this tag if one is given, in the order
    /// of their ids. A listing that may not be whole is an error. Each page waits for the limits, at most 10 s.
    ///
    /// Pages are counted by `PageNumber`, because only then the service tells the total, which proves that none is missing; and a gateway
    /// that does not know `NextToken` would end a listing after its first page, unseen.
    /// <https://help.aliyun.com/document_detail/26232.html>
    pub async fn describe_instances(
        &self,
        credentials: &Credentials,
        tag: Option<(&str, &str)>,
    ) -> Result<Answer<Vec<ListedInstance>>, CallError> {
        let Some(region) = self.region_id().map(str::to_owned) else {
            return Err(CallError::NotSent { why: "instances are listed by region, and the client has none".to_owned() });
        };
        let tags = tag.map(|(key, value)| Value::from_iter([(key, value)]).to_string());
        let mut pages = Pages::default();
        let mut first_page_at = None;
        for page in 1..=MOST_PAGES {
            let mut params = vec![pair("PageSize", &ROWS.to_string()), pair("PageNumber", &page.to_string())];
            params.extend(tags.as_ref().map(|tags| pair("Tags", tags)));
            let Answer { value, request_id, service_time } =
                self.read(DESCRIBE_DB_INSTANCES, None, params, credentials, |body| read_page(body, &region)).await?;
            if page == 1 {
                first_page_at = service_time;
            }
            if pages.take(value).map_err(|why| CallError::Lost { why })? {
                return Ok(Answer { value: pages.found.into_values().collect(), request_id, service_time: first_page_at });
            }
        }
        Err(CallError::Lost { why: format!("the listing of instances has more than {MOST_PAGES} pages") })
    }
}

/// One page.
pub(super) struct Page {
    rows: Vec<ListedInstance>,
    /// `TotalRecordCount`, over all pages.
    total: Option<usize>,
}

/// None if the list, or one of its rows, cannot be read, or a row is of another region: it says nothing of this one.
pub(super) fn read_page(body: &Value, region: &str) -> Option<Page> {
    let rows = wire::items(body, "DBInstance")?.into_iter().map(|item| row(item).filter(|row| is_in(row, region)));
    let total = wire::number(body, "TotalRecordCount").and_then(|total| usize::try_from(total).ok());
    Some(Page { rows: rows.collect::<Option<_>>()?, total })
}

fn is_in(row: &ListedInstance, region: &str) -> bool {
    row.instance.region_id.as_deref().is_none_or(|found| found.eq_ignore_ascii_case(region))
}

fn row(item: &Value) -> Option<ListedInstance> {
    let id = InstanceId::new(wire::id(item, "DBInstanceId")?);
    Some(ListedInstance {
        instance: wire::attributes(item, &id)?,
        description: text(item, "DBInstanceDescription"),
        zone_id: text(item, "ZoneId"),
        expires_at: wire::time(item, "ExpireTime"),
    })
}

/// The pages that have been read so far.
#[derive(Default)]
struct Pages {
    found: BTreeMap<String, ListedInstance>,
    total: Option<usize>,
    rows: usize,
}

impl Pages {
    /// Takes the next page, and returns whether it was the last.
    ///
    /// # Errors
    /// The listing may miss instances. The error says why.
    fn take(&mut self, page: Page) -> Result<bool, String> {
        let Page { rows, total } = page;
        let total = total.ok_or("the listing does not tell how many instances there are")?;
        // Rows move from page to page when an instance is created or released in between, and one of them may slip through.
        if self.total.is_some_and(|before| before != total) {
            return Err("the listing changed while it was read".to_owned());
        }
        self.total = Some(total);
        let count = rows.len();
        self.rows += count;
        for row in rows {
            if self.found.insert(row.instance.id.as_str().to_owned(), row).is_some() {
                return Err("a page of the listing repeats an instance of another one".to_owned());
            }
        }
        if self.rows > total {
            return Err(format!("the listing has {} instances, and says that there are {total}", self.rows));
        }
        if self.rows < total && count == 0 {
            return Err(format!("the listing ends after {} of {total} instances", self.rows));
        }
        Ok(self.rows == total)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rds::{Disk, Engine};

    fn body(ids: std::ops::Range<usize>, total: usize) -> Value {
        let rows: Vec<Value> = ids.map(|id| json!({ "DBInstanceId": format!("rm-{id}"), "DBInstanceStatus": "Running" })).collect();
        json!({ "TotalRecordCount": total, "PageRecordCount": rows.len(), "Items": { "DBInstance": rows } })
    }

    /// How many instances these pages have, or the error; `None` if more pages are expected.
    fn read(bodies: &[Value]) -> Option<Result<usize, String>> {
        let mut pages = Pages::default();
        for body in bodies {
            match read_page(body, "cn-hangzhou").ok_or_else(|| "unreadable".to_owned()).and_then(|page| pages.take(page)) {
                Ok(true) => return Some(Ok(pages.found.len())),
                Ok(false) => {}
                Err(wrong) => return Some(Err(wrong)),
            }
        }
        None
    }

    #[test]
    fn a_listing_ends_when_it_has_as_many_instances_as_it_says() {
        for (pages, found) in [
            (vec![body(0..0, 0)], 0),
            (vec![body(0..3, 3)], 3),
            (vec![body(0..100, 100)], 100),
            (vec![body(0..100, 150), body(100..150, 150)], 150),
            // The service answers with pages of 30.
            (vec![body(0..30, 70), body(30..60, 70), body(60..70, 70)], 70),
        ] {
            assert_eq!(read(&pages), Some(Ok(found)));
        }
        assert_eq!(read(&[body(0..30, 70)]), None, "it goes on although the page is short");
    }

    #[test]
    fn a_listing_that_may_miss_instances_is_an_error() {
        let mut without_total = body(0..3, 3);
        without_total.as_object_mut().unwrap().remove("TotalRecordCount");
        let mut elsewhere = body(0..3, 3);
        elsewhere["Items"]["DBInstance"][1]["RegionId"] = json!("cn-shanghai");
        let mut nameless = body(0..3, 3);
        nameless["Items"]["DBInstance"][1]["DBInstanceId"] = json!(null);
        for (pages, words) in [
            (vec![without_total], "does not tell how many"),
            (vec![elsewhere], "unreadable"),
            (vec![nameless], "unreadable"),
            (vec![json!({ "TotalRecordCount": 0 })], "unreadable"),
            (vec![body(0..100, 150), body(99..149, 150)], "repeats"),
            (vec![body(0..100, 150), body(100..150, 149)], "changed"),
            (vec![body(0..30, 70), body(30..30, 70)], "after 30 of 70"),
            (vec![body(0..5, 3)], "has 5 instances, and says that there are 3"),
        ] {
            let found = read(&pages);
            assert!(found.clone().is_some_and(|found| found.is_err_and(|wrong| wrong.contains(words))), "{words}: {found:?}");
        }
    }

    #[test]
    fn a_row_is_read_as_the_page_of_the_api_has_it() {
        let item = json!({
            "DBInstanceId": "rm-uf6wjk5xxxxxxxxxx", "DBInstanceDescription": "orders", "DBInstanceStatus": "Running", "Engine": "MySQL",
            "EngineVersion": "8.0", "DBInstanceStorageType": "cloud_essd", "DBInstanceType": "Primary", "RegionId": "cn-hangzhou",
            "ZoneId": "cn-hangzhou-a", "ExpireTime": "2027-02-27T16:00:00Z", "LockMode": "Unlock", "MasterInstanceId": null,
            "ConnectionString": "rm-uf6wjk5xxxxxxxxxx.mysql.rds.aliyuncs.com", "VpcId": "vpc-1",
        });
        let found = row(&item).unwrap();
        assert_eq!((found.instance.engine.clone(), found.instance.disk(), found.instance.is_running()), (Engine::MySql, Disk::Cloud, true));
        assert_eq!((found.description.as_deref(), found.zone_id.as_deref()), (Some("orders"), Some("cn-hangzhou-a")));
        assert_eq!(found.expires_at, Some("2027-02-27T16:00:00Z".parse().unwrap()));
        let by_use = json!({ "DBInstanceId": "rm-1", "DBInstanceStatus": "Running", "ExpireTime": "" });
        assert_eq!(row(&by_use).unwrap().expires_at, None);
    }
}
