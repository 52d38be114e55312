//! Serves the connections of the simulated services: of the RDS endpoint, of STS and of the metadata service.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::net::{TcpListener, TcpStream};

use crate::rds::RawRequest;
use crate::tasks::Tasks;

/// The largest body of a request. Requests of these services are far smaller.
const LARGEST_BODY: usize = 1 << 20;

/// What the connection is to do.
pub(crate) enum Reply {
    /// Send this.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
        /// The service's time, for the `Date` header.
        date: Timestamp,
    },
    /// Close it without an answer.
    Close,
    /// Reset it without an answer.
    Reset,
}

/// Something that answers requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// The answer to one.
    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, Reply>;

    /// Where its tasks are.
    fn tasks(&self) -> &Tasks;
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

/// Takes connections for as long as the service lives.
pub(crate) async fn accept<S: Service>(listener: TcpListener, service: Arc<S>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => service.tasks().spawn(serve(stream, Arc::clone(&service))),
            // A connection that is gone before it is accepted, or too many open files: neither ends the service.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn serve<S: Service>(stream: TcpStream, service: Arc<S>) {
    // Small answers leave at once: the lag of Nagle's algorithm would be measured as the service's.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let answering = service_fn(|request| Box::pin(respond(Arc::clone(&service), request, Arc::clone(&reset))));
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false);
    let mut connection = builder.serve_connection(TokioIo::new(stream), answering);
    // A connection may end in any way: the client or a fault decides.
    let _ = poll_fn(|context| Pin::new(&mut connection).poll_without_shutdown(context)).await;
    if reset.load(Ordering::Relaxed) {
        // Closing with nothing to linger for sends RST.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn respond<S: Service>(
    service: Arc<S>,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let request = read(request).await?;
    match service.answer(request).await {
        Reply::Answer { status, headers, body, date } => {
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date).ok();
            for (name, value) in headers.into_iter().chain(date.map(|date| ("date", date))) {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    response.headers_mut().insert(HeaderName::from_static(name), value);
                }
            }
            Ok(response)
        }
        Reply::Close => Err(NoAnswer),
        Reply::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(NoAnswer)
        }
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
