//! `/sandbox/...`: what a program in the same process does with the handle, over HTTP. The simulated service is at `/` alone.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact as span;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::catalogue::Catalogue;
use super::faults::{Fault, FaultId};
use super::ledger::JobKind;
use super::request::RawRequest;
use super::shared::Shared;

/// The answer to `/sandbox`: all paths.
const INDEX: &[&str] = &[
    "GET /sandbox/ledger?instance=",
    "GET /sandbox/calls?instance=&action=",
    "GET /sandbox/sets?instance=",
    "GET /sandbox/deletions?instance=",
    "GET /sandbox/clones?source=",
    "GET|PATCH /sandbox/settings",
    "GET|POST|DELETE /sandbox/faults, DELETE /sandbox/faults/{id}",
    "POST /sandbox/jobs",
    "PUT /sandbox/instances",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StartJob {
    instance: String,
    kind: JobKind,
    #[serde(with = "span::required")]
    length: Duration,
}

/// A request that cannot be served.
struct Refused(u16, String);

impl<E: std::error::Error> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(400, error.to_string())
    }
}

pub(super) fn answer(shared: &Shared, request: &RawRequest) -> Answer {
    match route(shared, request) {
        Ok(body) => Answer::json(200, &body),
        Err(Refused(status, message)) => Answer::json(status, &json!({ "error": message })),
    }
}

fn route(shared: &Shared, request: &RawRequest) -> Result<Value, Refused> {
    let asked = request.parameters();
    let path = request.path.strip_prefix("/sandbox").unwrap_or_default().trim_matches('/');
    let mut state = shared.state();
    let now = shared.now(&state);
    match (request.method.as_str(), path) {
        ("GET", "") => Ok(json!({ "now": now.service, "instances": state.cloud.catalogue.patterns().collect::<Vec<_>>(), "paths": INDEX })),
        ("GET", "ledger") => {
            let entries = state.cloud.ledger(now);
            all(entries.iter().filter(|entry| is(&asked, "instance", &entry.instance)))
        }
        ("GET", "calls") => {
            all(state.calls().iter().filter(|call| is(&asked, "instance", &call.instance) && is(&asked, "action", &call.action)))
        }
        ("GET", "sets") => match asked.get("instance") {
            Some(instance) => all(state.cloud.sets(instance, state.settings.lag, now).iter()),
            None => Err(Refused(400, "say which: ?instance=".into())),
        },
        ("GET", "deletions") => all(state.cloud.deletions().iter().filter(|deleted| is(&asked, "instance", &deleted.instance))),
        ("GET", "clones") => all(state.cloud.clones.records().iter().filter(|clone| is(&asked, "source", &clone.source))),
        ("GET", "settings") => Ok(serde_json::to_value(&state.settings)?),
        ("PATCH", "settings") => {
            state.settings = state.settings.patched(&body(request)?)?;
            Ok(serde_json::to_value(&state.settings)?)
        }
        ("GET", "faults") => all(state.faults.list().iter()),
        ("POST", "faults") => Ok(json!({ "id": state.faults.add(body::<Fault>(request)?) })),
        ("DELETE", "faults") => {
            state.faults.clear();
            all(state.faults.list().iter())
        }
        ("DELETE", fault) if fault.starts_with("faults/") => {
            let id = FaultId(fault.trim_start_matches("faults/").parse()?);
            match state.faults.remove(id) {
                true => all(state.faults.list().iter()),
                false => Err(Refused(404, "there is no such fault".into())),
            }
        }
        ("POST", "jobs") => {
            let StartJob { instance, kind, length } = body(request)?;
            drop(state);
            Ok(json!({ "jobId": shared.start_job(&instance, kind, length)? }))
        }
        ("PUT", "instances") => {
            state.cloud.catalogue.extend(body::<Catalogue>(request)?);
            Ok(serde_json::to_value(&state.cloud.catalogue)?)
        }
        _ => Err(Refused(404, format!("there is {}", INDEX.join("; ")))),
    }
}

fn body<T: DeserializeOwned>(request: &RawRequest) -> Result<T, Refused> {
    Ok(serde_json::from_slice(&request.body)?)
}

fn is(asked: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    asked.get(name).is_none_or(|wanted| wanted == value)
}

fn all<T: Serialize>(items: impl Iterator<Item = T>) -> Result<Value, Refused> {
    Ok(Value::Array(items.map(serde_json::to_value).collect::<Result<_, _>>()?))
}
