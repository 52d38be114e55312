//! Serves the connections of an endpoint.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::answer::Answer;
use super::clock::Now;
use super::control;
use super::delivery::{Reply, deliver};
use super::request::RawRequest;
use super::shared::Shared;

/// The largest body of a request. Requests of this API are far smaller.
const LARGEST_BODY: usize = 1 << 20;

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

/// Takes connections for as long as the endpoint lives.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => shared.tasks.spawn(serve(stream, Arc::clone(&shared))),
            // A connection that is gone before it is accepted, or too many open files: neither ends the endpoint.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers leave at once: the lag of Nagle's algorithm would be measured as the endpoint's.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| Box::pin(answer(Arc::clone(&shared), request, Arc::clone(&reset))));
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    // A connection may end in any way: the client or a fault decides.
    let _ = poll_fn(|context| Pin::new(&mut connection).poll_without_shutdown(context)).await;
    if reset.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner();
        // Closing with nothing to linger for sends RST.
        let _ = stream.set_zero_linger();
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>, reset: Arc<AtomicBool>) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let request = read(request).await?;
    if request.path == "/sandbox" || request.path.starts_with("/sandbox/") {
        return Ok(response(&shared, control::answer(&shared, &request)));
    }
    let (sender, reply) = oneshot::channel();
    shared.tasks.spawn(deliver(Arc::clone(&shared), request, sender));
    match reply.await {
        Ok(Reply::Answer(answer)) => Ok(response(&shared, answer)),
        Ok(Reply::Reset) => {
            reset.store(true, Ordering::Relaxed);
            Err(NoAnswer)
        }
        Ok(Reply::Close) | Err(_) => Err(NoAnswer),
    }
}

async fn read(request: Request<Incoming>) -> Result<RawRequest, NoAnswer> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| NoAnswer)?.to_bytes().to_vec();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(RawRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body,
    })
}

fn response(shared: &Shared, answer: Answer) -> Response<Full<Bytes>> {
    let shown = {
        let state = shared.state();
        Now::new(shared.now(&state).service, state.settings.quirks.date_offset_ms).service
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&shown).ok();
    for (name, value) in answer.headers.into_iter().chain(date.map(|date| ("date", date))) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
