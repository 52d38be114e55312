//! The parts that the answers of all actions of all products have in common.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    credentials::Credentials,
    decode,
    http::HttpResponse,
    redact::{self, Hidden, cut},
};

/// What is read here of every answer.
pub(super) const USED: &[&str] = &["RequestId", "Code", "Message"];

/// Longer ids, states and versions are not the service's.
const LONGEST_TEXT: usize = 128;

/// An answer, read as far as it is the same for every action. It has no `Debug`: a body may hold pre-signed addresses.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The size of the body.
    pub bytes: usize,
    /// The body, if it is a document.
    pub body: Option<Value>,
    /// `RequestId`. An answer without it is not the service's own: anything in front of the service may have written it.
    pub request_id: Option<String>,
    /// The error that the answer is, if it is one.
    pub error: Option<ServiceError>,
    /// `Date` as the header says it, which may be wrong by years. Only the client reads it.
    pub(super) date: Option<Timestamp>,
    /// The service's time when it answered, to the second. None if the answer has no `Date` that can be believed.
    pub service_time: Option<Timestamp>,
    /// `x-acs-retry-after`: the pause that the service asks for.
    pub retry_after: Option<Duration>,
}

/// An error that the service answered, made safe to show. What its code means depends on the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// `Code`
    pub code: String,
    /// `Message`: at most 256 bytes, without addresses, keys and the text that was signed.
    pub message: String,
    /// `RequestId`, for the service's support.
    pub request_id: Option<String>,
    /// The HTTP status.
    pub http_status: u16,
}

impl ServiceError {
    /// Whether the gateway refused the request for its time: `InvalidTimeStamp.Expired`, `IllegalTimestamp`.
    pub(super) fn refuses_the_time(&self) -> bool {
        let code = self.code.to_ascii_lowercase();
        ["invalidtimestamp", "illegaltimestamp"].iter().any(|beginning| code.starts_with(beginning))
    }
}

impl Response {
    /// Reads the answer to `action`, which was asked for with these credentials: an error's message shows nothing of them. The service's
    /// time is left to the client, which knows its clock.
    pub fn read(action: &str, answer: &HttpResponse, credentials: &Credentials) -> Self {
        Self::read_hiding(action, answer, &Hidden::of(credentials))
    }

    /// The same, and an error's message shows nothing of what is hidden.
    pub(super) fn read_hiding(action: &str, answer: &HttpResponse, hidden: &Hidden) -> Self {
        let HttpResponse { status, headers, body, received: _ } = answer;
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let date = header("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let retry_after = header("x-acs-retry-after").and_then(|millis| millis.trim().parse().ok()).map(Duration::from_millis);
        let bytes = body.len();
        let body = decode::body(action, body);
        let error = body.as_ref().and_then(|body| error(*status, body, hidden));
        let request_id = body.as_ref().and_then(|body| request_id(body, hidden));
        Self { status: *status, bytes, body, request_id, error, date, service_time: None, retry_after }
    }

    /// The body of an answer that is a success by its HTTP status. Look at `error` first: old gateways answer errors with status 200.
    pub fn success(&self) -> Option<&Value> {
        self.body.as_ref().filter(|_| self.is_success())
    }

    /// Whether the HTTP status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A scalar as text, at most 128 bytes of it; none if it is missing, null, "null", empty or not a scalar. The documentation says one thing
/// and the wire another: ids are numbers or text, numbers are text, and missing is null, "null" or nothing.
pub fn text(object: &Value, key: &str) -> Option<String> {
    let text = match object.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let usable = !text.is_empty() && !text.eq_ignore_ascii_case("null") && !text.chars().any(char::is_control);
    usable.then(|| cut(&text, LONGEST_TEXT).to_owned())
}

/// `RequestId` is a UUID: letters, digits and hyphens.
fn request_id(body: &Value, hidden: &Hidden) -> Option<String> {
    let is_id = |id: &String| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !hidden.is_in(id);
    text(body, "RequestId").map(|id| cut(&id, 64).to_owned()).filter(is_id)
}

/// A `Code` makes an answer an error, also under status 200, unless it says that all is well.
fn error(http_status: u16, body: &Value, hidden: &Hidden) -> Option<ServiceError> {
    let code = text(body, "Code");
    let code = code.filter(|code| !["200", "ok", "success"].iter().any(|well| code.eq_ignore_ascii_case(well)))?;
    // A code is one word. Any other text is not the service's, and is not repeated.
    let is_code = code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && !hidden.is_in(&code);
    let code = if is_code { code } else { "(unreadable)".to_owned() };
    let message = redact::message(&code, body.get("Message").and_then(Value::as_str).unwrap_or_default(), hidden);
    Some(ServiceError { code, message, request_id: request_id(body, hidden), http_status })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_makes_an_answer_an_error() {
        let wire = json!({"RequestId": "R", "Code": "Forbidden.RAM", "Message": "no"});
        assert_eq!(
            error(403, &wire, &Hidden::NOTHING),
            Some(ServiceError { code: "Forbidden.RAM".into(), message: "no".into(), request_id: Some("R".into()), http_status: 403 })
        );
        assert!(error(200, &wire, &Hidden::NOTHING).is_some(), "also under status 200");
        let odd =
            error(400, &json!({"Code": "see https://oss.example/?Signature=x", "Message": "no", "RequestId": "a b"}), &Hidden::NOTHING)
                .unwrap();
        assert_eq!((odd.code.as_str(), odd.request_id), ("(unreadable)", None));
        let repeated = json!({"Code": "LTAI5tKeyOfOurs", "Message": "no", "RequestId": "a-LTAI5tKeyOfOurs"});
        let repeated = error(400, &repeated, &Hidden::all(["LTAI5tKeyOfOurs"])).unwrap();
        assert_eq!((repeated.code.as_str(), repeated.request_id), ("(unreadable)", None), "a key that is repeated as a code or as an id");
        for well in [json!({"Code": "200"}), json!({"Code": 200}), json!({"Code": "OK"}), json!({"Code": null}), json!({})] {
            assert_eq!(error(200, &well, &Hidden::NOTHING), None, "{well}");
        }
    }
}
