//! What a DescribeDBInstances asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::catalogue::InstanceSpec;
use super::detached::RELEASED;
use super::error::ApiError;
use super::wire::InstancePage;

/// So many tags a request may name.
const MOST_TAGS: usize = 5;

/// The token of the second page is this and the number of the first instance on it.
const TOKEN: &str = "sandbox-page-";

/// The filters and the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    region: String,
    equal: Vec<(&'static str, String)>,
    tags: BTreeMap<String, String>,
    from: usize,
    size: usize,
    /// None where pages are told by tokens.
    number: Option<usize>,
}

impl Query {
    pub(super) fn read(parameters: &BTreeMap<String, String>) -> Result<Self, ApiError> {
        let value = |name: &str| parameters.get(name).map(String::as_str);
        let region = value("RegionId").ok_or_else(|| ApiError::missing("RegionId"))?.to_owned();
        let rows = |name: &str| match value(name).map(str::parse::<usize>) {
            None => Ok(None),
            Some(Ok(rows)) if (1..=100).contains(&rows) => Ok(Some(rows)),
            Some(_) => Err(ApiError::invalid(name)),
        };
        if !matches!(value("InstanceLevel"), None | Some("0" | "1")) {
            return Err(ApiError::invalid("InstanceLevel"));
        }
        let role = value("DBInstanceType");
        if !matches!(role, None | Some("Primary" | "Readonly" | "Guard" | "Temp")) {
            return Err(ApiError::invalid("DBInstanceType"));
        }
        let (size, most) = (rows("PageSize")?, rows("MaxResults")?);
        let by_token = most.is_some() || value("NextToken").is_some();
        if by_token && (size.is_some() || value("PageNumber").is_some()) {
            let message = "PageSize and PageNumber cannot be specified together with MaxResults or NextToken.";
            return Err(ApiError::new(400, "InvalidParameterCombination", message));
        }
        let number = match value("PageNumber").map(str::parse::<usize>) {
            None => 1,
            Some(Ok(number)) if number >= 1 => number,
            Some(_) => return Err(ApiError::new(400, "InvalidPageNumbers.Malformed", "Specified page number is not valid.")),
        };
        let from = match value("NextToken") {
            None => None,
            Some(token) => {
                let from = token.strip_prefix(TOKEN).and_then(|from| from.parse().ok());
                Some(from.ok_or_else(|| ApiError::invalid("NextToken"))?)
            }
        };
        let size = size.or(most).unwrap_or(30);
        let named = ["DBInstanceId", "DBInstanceType", "DBInstanceStatus", "Engine", "EngineVersion"];
        Ok(Self {
            region,
            equal: named.into_iter().filter_map(|name| Some((name, value(name)?.to_owned()))).collect(),
            tags: value("Tags").map_or_else(|| Ok(BTreeMap::new()), tags)?,
            from: from.unwrap_or(size.saturating_mul(number - 1)),
            size,
            number: (!by_token).then_some(number),
        })
    }

    fn takes(&self, id: &str, spec: &InstanceSpec) -> bool {
        let is = |name: &str| match name {
            "DBInstanceId" => id,
            "DBInstanceType" => &spec.kind,
            "DBInstanceStatus" => &spec.status,
            "Engine" => spec.engine.name(),
            _ => &spec.engine_version,
        };
        spec.region == self.region
            && spec.status != RELEASED
            && self.equal.iter().all(|(name, wanted)| is(name) == wanted)
            && self.tags.iter().all(|(key, wanted)| spec.tags.get(key) == Some(wanted))
    }

    /// The page.
    pub(super) fn page<'a>(&self, all: BTreeMap<&'a str, &'a InstanceSpec>, backwards: bool) -> InstancePage<'a> {
        let mut found: Vec<_> = all.into_iter().filter(|(id, spec)| self.takes(id, spec)).collect();
        if backwards {
            found.reverse();
        }
        let end = self.from.saturating_add(self.size);
        let next_token = (self.number.is_none() && end < found.len()).then(|| format!("{TOKEN}{end}"));
        let total = found.len();
        let instances: Vec<_> = found.into_iter().skip(self.from).take(self.size).collect();
        // With tokens the service tells the number of this page's, and calls every page the first.
        let total = if self.number.is_some() { total } else { instances.len() };
        InstancePage { instances, number: self.number.unwrap_or(1), total, next_token }
    }
}

/// An object of texts, five at most.
fn tags(text: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let malformed = || ApiError::new(400, "InvalidTags.Format", "Specified tags are not valid.");
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return Err(malformed()) };
    if fields.is_empty() || fields.len() > MOST_TAGS {
        return Err(malformed());
    }
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    fields.into_iter().map(text).collect::<Option<_>>().ok_or_else(malformed)
}
