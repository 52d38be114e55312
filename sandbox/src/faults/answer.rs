//! The answers that a proxy gives in a server's place.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::label::Server;

/// The connection is to end without an answer, or before its end.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub(super) struct NoAnswer;

pub(super) type Body = UnsyncBoxBody<Bytes, NoAnswer>;

pub(super) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// An answer as something in front of the server, or the server itself, would give it.
pub(super) fn refusal(server: Server, status: u16) -> Response<Body> {
    let reason = match status {
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = match server {
        Server::Kube => json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": reason, "message": "by plan",
        }),
        Server::Cloud => json!({ "Code": "InternalError", "Message": "by plan", "RequestId": "00000000-0000-0000-0000-000000000000" }),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_answer(status, whole(Bytes::from(body.to_string())));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(super) fn json_answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
