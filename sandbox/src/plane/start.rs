//! Starting the components in order, each ready before the next begins.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::binaries::Binaries;
use super::certs::Certs;
use super::components::{self, Layout};
use super::kubeconfig::{self, Identity};
use super::process::Supervised;
use super::tool::Kubectl;

/// How long one component may take. The slowest, kube-apiserver, takes 2.5 s on 2 idle cores; compilers beside it may make that 20 s.
const LIMIT: Duration = Duration::from_secs(90);

/// Why a component did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be started, or a file that it needs could not be written.
    #[error("starting {component}")]
    Io {
        /// The component.
        component: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// It ended instead of serving.
    #[error("{component} ended ({status}); the end of its log:\n{log}")]
    Died {
        /// The component.
        component: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It runs, and did not become ready.
    #[error("{component} was not ready after {limit:?}; the end of its log:\n{log}")]
    NotReady {
        /// The component.
        component: &'static str,
        /// How long it was given.
        limit: Duration,
        /// The end of its log.
        log: String,
    },
}

pub(super) const ETCD: &str = "etcd";
pub(super) const API_SERVER: &str = "kube-apiserver";
pub(super) const CONTROLLER_MANAGER: &str = "kube-controller-manager";

pub(super) async fn etcd(binaries: &Binaries, layout: &Layout) -> Result<Supervised, StartError> {
    let mut process = spawn(ETCD, &binaries.etcd, components::etcd(layout), layout)?;
    let socket = layout.etcd_socket();
    ready(ETCD, &mut process, Duration::from_millis(50), || etcd_is_healthy(&socket)).await?;
    Ok(process)
}

/// Returns the server's URL too. A port that was free a moment ago may be taken when the server, a second later, wants it: then with
/// another.
pub(super) async fn api_server(
    binaries: &Binaries,
    layout: &Layout,
    certs: &Certs,
    extra: &[String],
) -> Result<(Supervised, String), StartError> {
    let mut tries = 3;
    loop {
        tries -= 1;
        match api_server_on(free_port()?, binaries, layout, certs, extra).await {
            Err(StartError::Died { log, .. }) if tries > 0 && log.contains("address already in use") => {}
            result => return result,
        }
    }
}

/// On that port.
pub(super) async fn api_server_on(
    port: u16,
    binaries: &Binaries,
    layout: &Layout,
    certs: &Certs,
    extra: &[String],
) -> Result<(Supervised, String), StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = format!("https://{address}");
    for (file, pair) in [(layout.admin_kubeconfig(), &certs.admin), (layout.controller_manager_kubeconfig(), &certs.controller_manager)] {
        let identity = Identity::Certificate { certificate: &pair.public, key: &pair.key };
        kubeconfig::write(&file, &server, &certs.ca, "default", &identity).map_err(io_of(API_SERVER))?;
    }
    let flags = components::kube_apiserver(layout, certs, port, extra);
    let mut process = spawn(API_SERVER, &binaries.kube_apiserver, flags, layout)?;
    // A cheap check first: a kubectl takes 60 ms of a core, and the server needs both cores for about 2 s before it listens.
    ready(API_SERVER, &mut process, Duration::from_millis(50), || async move { TcpStream::connect(address).await.is_ok() }).await?;
    let kubectl = Kubectl::new("kubectl", &binaries.kubectl, &layout.admin_kubeconfig(), &layout.home());
    ready(API_SERVER, &mut process, Duration::from_millis(200), || async { kubectl.run(&["get", "--raw", "/readyz"]).await.is_ok() })
        .await?;
    Ok((process, server))
}

/// Ready when it has done something: made the `default` ServiceAccount, without which no Pod and no chart could be admitted.
pub(super) async fn controller_manager(binaries: &Binaries, layout: &Layout, certs: &Certs) -> Result<Supervised, StartError> {
    let flags = components::kube_controller_manager(layout, certs);
    let mut process = spawn(CONTROLLER_MANAGER, &binaries.kube_controller_manager, flags, layout)?;
    let kubectl = Kubectl::new("kubectl", &binaries.kubectl, &layout.admin_kubeconfig(), &layout.home());
    let default = ["get", "serviceaccount", "default", "--namespace=default"];
    ready(CONTROLLER_MANAGER, &mut process, Duration::from_millis(200), || async { kubectl.run(&default).await.is_ok() }).await?;
    Ok(process)
}

fn spawn(component: &'static str, program: &Path, flags: Vec<std::ffi::OsString>, layout: &Layout) -> Result<Supervised, StartError> {
    let environment: [(&str, &Path); 1] = [("HOME", &layout.home())];
    Supervised::spawn(component, program, flags, environment, &layout.log(component)).map_err(io_of(component))
}

/// Asks until the answer is yes, the component has died, or its time is up.
async fn ready<F: Future<Output = bool>>(
    component: &'static str,
    process: &mut Supervised,
    pause: Duration,
    ask: impl Fn() -> F,
) -> Result<(), StartError> {
    let began = Instant::now();
    loop {
        died(component, process)?;
        if ask().await {
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            return Err(StartError::NotReady { component, limit: LIMIT, log: process.log_tail() });
        }
        tokio::time::sleep(pause).await;
    }
}

/// An error if it is not running any more.
pub(super) fn died(component: &'static str, process: &mut Supervised) -> Result<(), StartError> {
    match process.try_wait().map_err(io_of(component))? {
        Some(status) => Err(StartError::Died { component, status, log: process.log_tail() }),
        None => Ok(()),
    }
}

fn io_of(component: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Io { component, source }
}

/// A port that is free now.
fn free_port() -> Result<u16, StartError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io_of(API_SERVER))?;
    Ok(listener.local_addr().map_err(io_of(API_SERVER))?.port())
}

/// `GET /health`, by hand: one request over a Unix socket is not worth an HTTP client.
async fn etcd_is_healthy(socket: &Path) -> bool {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: etcd\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer.contains(r#""health":"true""#))
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), exchange).await, Ok(Ok(true)))
}
