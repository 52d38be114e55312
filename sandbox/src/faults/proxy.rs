//! A proxy in front of a server: names the requests, injects the fault of the plan, and applies the network conditions.

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
use super::injector::FaultInjector;
use super::label::{self, Server};
use super::network_conditions::{NetworkCondition, NetworkConditions};
use super::plan::{HELD, RequestFault};
use super::upstream::Upstream;
use super::watch;
use crate::tasks::Tasks;

/// The largest body that is passed on. The requests of the operator are far smaller.
const LARGEST_BODY: usize = 8 << 20;

/// How long the operator needs to read an answer after it was sent.
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
    injector: Arc<FaultInjector>,
    network: Arc<NetworkConditions>,
    /// The lists and the lease that are answered in place of the server's.
    substitutes: Mutex<Substitutes>,
    tasks: Tasks,
}

#[derive(Default)]
struct Substitutes {
    lists: BTreeMap<String, Bytes>,
    lease: Option<Value>,
    version: u64,
}

impl Proxy {
    pub(super) async fn start(
        server: Server,
        upstream: Upstream,
        injector: Arc<FaultInjector>,
        network: Arc<NetworkConditions>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { server, upstream, injector, network, substitutes: Mutex::default(), tasks: Tasks::default() });
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
    // A connection may end in any way: the operator or the plan decides.
    let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn pass(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| NoAnswer)?.to_bytes();
    let what = label::of(shared.server, &parts);
    let fault = shared.injector.fault_for(&what);
    match fault {
        Some(RequestFault::KillBefore) => {
            shared.injector.kill();
            return Err(NoAnswer);
        }
        Some(RequestFault::Terminate) => shared.injector.terminate(),
        Some(RequestFault::Answer(status)) => return Ok(refusal(shared.server, status)),
        Some(RequestFault::Hold) => {
            // The operator may have closed the connection by then, which drops this future; the task still forwards the request.
            let (done, response) = oneshot::channel();
            let held = Arc::clone(&shared);
            shared.tasks.spawn(async move {
                tokio::time::sleep(HELD).await;
                let response = handle(&held, parts, body, &what).await;
                held.injector.released();
                let _ = done.send(response);
            });
            return response.await.unwrap_or(Err(NoAnswer));
        }
        _ => {}
    }
    if let Some(response) = shared.answer_by_condition(&parts.method, &body, &what).await {
        return Ok(response);
    }
    let response = handle(&shared, parts, body, &what).await;
    match fault {
        Some(RequestFault::Freeze) => {
            shared.injector.freeze();
            response
        }
        Some(RequestFault::KillExecuted) => {
            shared.injector.kill();
            Err(NoAnswer)
        }
        Some(RequestFault::DropAnswer) => Err(NoAnswer),
        Some(RequestFault::KillAnswered) => {
            let injector = Arc::clone(&shared.injector);
            shared.tasks.spawn(async move {
                tokio::time::sleep(READ).await;
                injector.kill();
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
    /// The answer that the current condition gives in the server's place, if it does; a condition that delays the request waits first.
    async fn answer_by_condition(&self, method: &Method, body: &Bytes, what: &str) -> Option<Response<Body>> {
        match self.network.current() {
            NetworkCondition::Answers { to, one_of, status } if what.contains(to) && self.network.chosen(one_of) => {
                Some(refusal(self.server, status))
            }
            NetworkCondition::Slow(by) => {
                self.network.count_applied();
                tokio::time::sleep(by).await;
                None
            }
            NetworkCondition::Silent => {
                self.network.count_applied();
                std::future::pending().await
            }
            NetworkCondition::SeparateLeases if what.ends_with(" leases") => {
                self.network.count_applied();
                Some(self.own_lease(method, body))
            }
            NetworkCondition::OldLists(_) if what.starts_with("kube list") && !what.ends_with("of the instance") => {
                let old = self.old_list(what)?;
                self.network.count_applied();
                Some(json_answer(StatusCode::OK, whole(old)))
            }
            NetworkCondition::OldLists(late) if what.starts_with("kube watch") => {
                tokio::time::sleep(late).await;
                None
            }
            _ => None,
        }
    }

    /// The first list of that name, if there was one.
    fn old_list(&self, what: &str) -> Option<Bytes> {
        self.substitutes.lock().unwrap_or_else(PoisonError::into_inner).lists.get(what).cloned()
    }

    /// Remembers a first list.
    fn listed(&self, what: &str, body: &Bytes) {
        if what.starts_with("kube list") {
            self.substitutes.lock().unwrap_or_else(PoisonError::into_inner).lists.entry(what.to_owned()).or_insert_with(|| body.clone());
        }
    }

    /// A lease that only this operator sees.
    fn own_lease(&self, method: &Method, body: &Bytes) -> Response<Body> {
        let mut substitutes = self.substitutes.lock().unwrap_or_else(PoisonError::into_inner);
        if *method != Method::GET {
            substitutes.version += 1;
            let mut lease: Value = serde_json::from_slice(body).unwrap_or_default();
            lease["metadata"]["resourceVersion"] = substitutes.version.to_string().into();
            lease["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001".into();
            substitutes.lease = Some(lease);
        }
        match &substitutes.lease {
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
        return Ok(response.map(|body| watch::watched(Arc::clone(&shared.network), body)));
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
    // The connection may end in any way: the server decides.
    shared.tasks.spawn(async { _ = connection.await });
    sender.send_request(request).await.map_err(|_| NoAnswer)
}
