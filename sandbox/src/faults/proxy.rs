//! Stands in front of a server, counts what passes, and strikes one request.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::answer::{Body, NoAnswer, json_answer, refusal, whole};
use super::label::{self, Server};
use super::plan::{Blow, HELD};
use super::strike::Strike;
use super::upstream::Upstream;
use super::watch;
use super::weather::{Sky, Weather};
use crate::tasks::Tasks;

/// Nothing that passes here is anywhere near it.
const LARGEST_BODY: usize = 8 << 20;

/// After the answer was handed over it takes so long until it has been read.
const READ: Duration = Duration::from_millis(20);

/// A running proxy. It stops when it is dropped, with all its connections.
pub(super) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.tasks.close();
    }
}

struct Shared {
    server: Server,
    upstream: Upstream,
    strike: Arc<Strike>,
    sky: Arc<Sky>,
    /// First lists, and a lease, of weathers that lie.
    lies: Mutex<Lies>,
    tasks: Tasks,
}

#[derive(Default)]
struct Lies {
    lists: BTreeMap<String, Bytes>,
    lease: Option<Value>,
    version: u64,
}

impl Proxy {
    pub(super) async fn start(server: Server, upstream: Upstream, strike: Arc<Strike>, sky: Arc<Sky>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { server, upstream, strike, sky, lies: Mutex::default(), tasks: Tasks::default() });
        shared.tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => shared.tasks.spawn(serve(stream, Arc::clone(&shared))),
            // A connection that is gone before it is accepted, or too many open files.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| pass(Arc::clone(&shared), request));
    // How a connection ends is the operator's business, or the plan's.
    let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn pass(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let what = label::of(shared.server, &parts);
    let blow = shared.strike.arrived(&what);
    match blow {
        Some(Blow::KillBefore) => {
            shared.strike.kill();
            return Err(NoAnswer);
        }
        Some(Blow::Terminate) => shared.strike.terminate(),
        Some(Blow::Answer(status)) => return Ok(refusal(shared.server, status)),
        Some(Blow::Hold) => {
            // Whoever asked may be gone by then, and this with the connection; the request arrives all the same.
            let (done, response) = oneshot::channel();
            let held = Arc::clone(&shared);
            shared.tasks.spawn(async move {
                tokio::time::sleep(HELD).await;
                let response = handle(&held, parts, body, &what).await;
                held.strike.released();
                let _ = done.send(response);
            });
            return response.await.unwrap_or(Err(NoAnswer));
        }
        _ => {}
    }
    if let Some(response) = shared.meets_weather(&parts.method, &body, &what).await {
        return Ok(response);
    }
    let response = handle(&shared, parts, body, &what).await;
    match blow {
        Some(Blow::Freeze) => {
            shared.strike.freeze();
            response
        }
        Some(Blow::KillExecuted) => {
            shared.strike.kill();
            Err(NoAnswer)
        }
        Some(Blow::DropAnswer) => Err(NoAnswer),
        Some(Blow::KillAnswered) => {
            let strike = Arc::clone(&shared.strike);
            shared.tasks.spawn(async move {
                tokio::time::sleep(READ).await;
                strike.kill();
            });
            response
        }
        _ => response,
    }
}

async fn handle(shared: &Shared, parts: Parts, body: Bytes, what: &str) -> Result<Response<Body>, NoAnswer> {
    forward(shared, Request::from_parts(parts, Full::new(body)), what).await
}

impl Shared {
    /// What the weather answers in the server's place, once it has held up what it holds up.
    async fn meets_weather(&self, method: &Method, body: &Bytes, what: &str) -> Option<Response<Body>> {
        match self.sky.weather() {
            Weather::Answers { to, one_of, status } if what.contains(to) && self.sky.turn(one_of) => Some(refusal(self.server, status)),
            Weather::Slow(by) => {
                self.sky.strike();
                tokio::time::sleep(by).await;
                None
            }
            Weather::Silent => {
                self.sky.strike();
                std::future::pending().await
            }
            Weather::LeasesLie if what.ends_with(" leases") => {
                self.sky.strike();
                Some(self.own_lease(method, body))
            }
            Weather::OldLists(_) if what.starts_with("kube list") && !what.ends_with("of the instance") => {
                let old = self.old_list(what)?;
                self.sky.strike();
                Some(json_answer(StatusCode::OK, whole(old)))
            }
            Weather::OldLists(late) if what.starts_with("kube watch") => {
                tokio::time::sleep(late).await;
                None
            }
            _ => None,
        }
    }

    /// The first list of that name, if there was one.
    fn old_list(&self, what: &str) -> Option<Bytes> {
        self.lies.lock().unwrap_or_else(PoisonError::into_inner).lists.get(what).cloned()
    }

    /// Remembers a first list.
    fn listed(&self, what: &str, body: &Bytes) {
        if what.starts_with("kube list") {
            self.lies.lock().unwrap_or_else(PoisonError::into_inner).lists.entry(what.to_owned()).or_insert_with(|| body.clone());
        }
    }

    /// A lease that nobody else sees.
    fn own_lease(&self, method: &Method, body: &Bytes) -> Response<Body> {
        let mut lies = self.lies.lock().unwrap_or_else(PoisonError::into_inner);
        if *method != Method::GET {
            lies.version += 1;
            let mut lease: Value = serde_json::from_slice(body).unwrap_or_default();
            lease["metadata"]["resourceVersion"] = lies.version.to_string().into();
            lease["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001".into();
            lies.lease = Some(lease);
        }
        match &lies.lease {
            Some(lease) => {
                let status = if *method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
                json_answer(status, whole(Bytes::from(lease.to_string())))
            }
            None => refusal(Server::Kube, 404),
        }
    }
}

/// Over a connection of its own. An answer that does not stream is read to its end: the request has been executed then.
async fn forward(shared: &Shared, request: Request<Full<Bytes>>, what: &str) -> Result<Response<Body>, NoAnswer> {
    let response = match &shared.upstream {
        Upstream::Plain(address) => {
            let stream = TcpStream::connect(address).await.map_err(|_| NoAnswer)?;
            send(shared, TokioIo::new(stream), request).await?
        }
        Upstream::Tls(address, connector) => {
            let stream = TcpStream::connect(address).await.map_err(|_| NoAnswer)?;
            let name = ServerName::IpAddress(address.ip().into());
            let stream = connector.connect(name, stream).await.map_err(|_| NoAnswer)?;
            send(shared, TokioIo::new(stream), request).await?
        }
    };
    if what.starts_with("kube watch") {
        return Ok(response.map(|body| watch::watched(Arc::clone(&shared.sky), body)));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| NoAnswer)?.to_bytes();
    shared.listed(what, &body);
    Ok(Response::from_parts(parts, whole(body)))
}

async fn send<S>(shared: &Shared, stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, NoAnswer>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = client::conn::http1::handshake(stream).await.map_err(|_| NoAnswer)?;
    // How it ends is the server's business.
    shared.tasks.spawn(async { _ = connection.await });
    sender.send_request(request).await.map_err(|_| NoAnswer)
}
