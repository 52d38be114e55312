//! Outages of a control plane: components that are killed and started again, an empty etcd, a compacted history.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::binaries::Binaries;
use super::control_plane::{GRACE, Plane};
use super::error::PlaneError;
use super::process::{Signal, Supervised};
use super::start::{self, API_SERVER, ETCD};

impl Plane {
    /// Kills the API server (SIGKILL) and returns when it is gone.
    pub async fn kill_api_server(&mut self) -> Result<(), PlaneError> {
        kill(API_SERVER, &mut self.api_server).await
    }

    /// Starts it again where it was, on the same port, and returns when it is ready.
    pub async fn start_api_server(&mut self) -> Result<(), PlaneError> {
        let binaries = Binaries::find(&self.progress).await?;
        let port = self.server.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        let (process, _) = start::api_server_on(port, &binaries, &self.layout, &self.certs, &self.extra_apiserver_flags).await?;
        self.api_server = process;
        Ok(())
    }

    /// Kills etcd (SIGKILL) and returns when it is gone. The API server stays, and fails.
    pub async fn kill_etcd(&mut self) -> Result<(), PlaneError> {
        kill(ETCD, &mut self.etcd).await
    }

    /// Starts it again on its data, and returns when it is ready.
    pub async fn start_etcd(&mut self) -> Result<(), PlaneError> {
        let binaries = Binaries::find(&self.progress).await?;
        self.etcd = start::etcd(&binaries, &self.layout).await?;
        Ok(())
    }

    /// Removes the data of a killed etcd: it starts empty.
    pub fn empty_etcd(&self) -> Result<(), PlaneError> {
        std::fs::remove_dir_all(self.layout.etcd_data()).map_err(|source| PlaneError::Outage { component: ETCD, source })
    }

    /// Compacts etcd's history up to now: a watch from an earlier resourceVersion is answered 410, once the API server's own cache is gone
    /// too.
    pub async fn compact_etcd(&self) -> Result<(), PlaneError> {
        let wrong = |answer: &Value| PlaneError::Compaction(answer.to_string());
        // Any key: only the revision in the header is needed. It is text, as etcd's JSON has 64-bit numbers.
        let answer = self.ask_etcd("/v3/kv/range", &json!({ "key": "AA==" })).await?;
        let revision = answer["header"]["revision"].as_str().ok_or_else(|| wrong(&answer))?;
        let answer = self.ask_etcd("/v3/kv/compaction", &json!({ "revision": revision, "physical": true })).await?;
        if answer["header"].is_null() { Err(wrong(&answer)) } else { Ok(()) }
    }

    /// By etcd's JSON gateway, by hand: two requests over a Unix socket are not worth an HTTP client.
    async fn ask_etcd(&self, path: &str, body: &Value) -> Result<Value, PlaneError> {
        let body = body.to_string();
        let exchange = async {
            let mut stream = UnixStream::connect(self.layout.etcd_socket()).await?;
            let length = body.len();
            let head = format!("POST {path} HTTP/1.0\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = match tokio::time::timeout(GRACE, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(PlaneError::Compaction(error.to_string())),
            Err(_) => return Err(PlaneError::Compaction("no answer".to_owned())),
        };
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(body).map_err(|_| PlaneError::Compaction(answer.clone()))
    }
}

async fn kill(component: &'static str, process: &mut Supervised) -> Result<(), PlaneError> {
    let outage = |source| PlaneError::Outage { component, source };
    process.signal(Signal::Kill).map_err(outage)?;
    process.wait().await.map_err(outage)?;
    Ok(())
}
