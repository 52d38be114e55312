//! A control plane as a value: started, queried for its paths and addresses, stopped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::binaries::Binaries;
use super::certs::Certs;
use super::components::Layout;
use super::directory::Directory;
use super::error::PlaneError;
use super::kubeconfig::{self, Identity};
use super::process::Supervised;
use super::progress::Progress;
use super::reader::Reader;
use super::start::{self, StartError};
use super::tool::{Kubectl, Tool};

/// The options of a plane.
pub struct PlaneOptions {
    /// Its directory, new or empty. A fresh temporary one if there is none.
    pub dir: Option<PathBuf>,
    /// Leave the directory behind, with logs and all.
    pub keep: bool,
    /// Where progress is reported. To stderr by default.
    pub progress: Progress,
    /// Appended to kube-apiserver's own, for tests of an unreliable server (`--goaway-chance=0.02`).
    pub extra_apiserver_flags: Vec<String>,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self { dir: None, keep: false, progress: Box::new(|line| eprintln!("{line}")), extra_apiserver_flags: Vec::new() }
    }
}

/// A running control plane. Dropping it kills its processes and removes its directory; [`Plane::stop`] does so in order.
pub struct Plane {
    // In the order in which they are to be dropped.
    controller_manager: Supervised,
    pub(super) api_server: Supervised,
    pub(super) etcd: Supervised,
    pub(super) server: String,
    kubeconfig: PathBuf,
    audit_log: PathBuf,
    pub(super) certs: Certs,
    kubectl: Kubectl,
    reader: Reader,
    pub(super) layout: Layout,
    directory: Directory,
    pub(super) progress: Progress,
    pub(super) extra_apiserver_flags: Vec<String>,
}

impl Plane {
    /// Starts one and returns when it is ready: 3 s on 2 idle cores, and some minutes before that the first time, when its programs have
    /// to be built.
    pub async fn start(options: PlaneOptions) -> Result<Self, PlaneError> {
        let PlaneOptions { dir, keep, progress, extra_apiserver_flags } = options;
        let binaries = Binaries::find(&progress).await?;
        let began = Instant::now();
        let directory = Directory::create(dir.as_deref(), keep)?;
        let layout = Layout { root: directory.path().to_owned() };
        directory.fill(&layout)?;
        let certs = Certs::issue(&layout.certs())?;
        progress(&format!("starting a control plane in {}", layout.root.display()));

        let step = |component: &str| progress(&format!("{component} is ready ({:.1} s)", began.elapsed().as_secs_f64()));
        let etcd = start::etcd(&binaries, &layout).await?;
        step(start::ETCD);
        let (api_server, server) = start::api_server(&binaries, &layout, &certs, &extra_apiserver_flags).await?;
        step(start::API_SERVER);
        let controller_manager = start::controller_manager(&binaries, &layout, &certs).await?;
        step(start::CONTROLLER_MANAGER);
        let kubectl = Kubectl::new("kubectl", &binaries.kubectl, &layout.admin_kubeconfig(), &layout.home());
        let (kubeconfig, audit_log) = (layout.admin_kubeconfig(), layout.audit_log());
        let reader = Reader::new(&kubeconfig).await?;
        Ok(Self {
            controller_manager,
            api_server,
            etcd,
            server,
            kubeconfig,
            audit_log,
            certs,
            kubectl,
            reader,
            layout,
            directory,
            progress,
            extra_apiserver_flags,
        })
    }

    /// The directory that holds all of it.
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// An administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server, `https://127.0.0.1:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate that the API server is known by.
    pub fn ca(&self) -> &Path {
        &self.certs.ca
    }

    /// The audit log, for [`audit::read`](super::audit::read).
    pub fn audit_log(&self) -> &Path {
        &self.audit_log
    }

    /// kubectl as an administrator.
    pub fn kubectl(&self) -> Kubectl {
        self.kubectl.clone()
    }

    /// Reads objects as an administrator, cheaper than [`Self::kubectl`] does.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// A Helm as an administrator: one of [`Helms`](super::Helms).
    pub fn helm(&self, program: &Path) -> Tool {
        Tool::new("helm", program, &self.kubeconfig, &self.layout.home())
    }

    /// The name and pid of every component.
    pub fn processes(&self) -> [(&str, u32); 3] {
        [&self.etcd, &self.api_server, &self.controller_manager].map(|process| (process.name(), process.pid()))
    }

    /// The API server's process, to stop it or to read its figures.
    pub fn api_server(&mut self) -> &mut Supervised {
        &mut self.api_server
    }

    /// Applies the objects in a file or a directory of files.
    pub async fn apply_file(&self, path: &Path) -> Result<(), PlaneError> {
        // Server-side, since a large CRD does not fit into the annotation that client-side apply leaves.
        let path = path.display().to_string();
        self.kubectl.run(&["apply", "--server-side", "--filename", &path]).await?;
        Ok(())
    }

    /// A kubeconfig for a ServiceAccount that exists, with a token for 24 h. Its file is only its owner's to read.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, PlaneError> {
        let token = self.kubectl.run(&["create", "token", name, "--namespace", namespace, "--duration=24h"]).await?;
        let path = kubeconfig::of_service_account(&self.layout.kubeconfigs(), namespace, name);
        kubeconfig::write(&path, &self.server, &self.certs.ca, namespace, &Identity::Token(token.trim()))
            .map_err(|source| PlaneError::Kubeconfig { path: path.clone(), source })?;
        Ok(path)
    }

    /// An error as soon as a component has ended by itself; never returns while all is well.
    pub async fn broken(&mut self) -> StartError {
        loop {
            for (component, process) in [
                (start::ETCD, &mut self.etcd),
                (start::API_SERVER, &mut self.api_server),
                (start::CONTROLLER_MANAGER, &mut self.controller_manager),
            ] {
                if let Err(e) = start::died(component, process) {
                    return e;
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Stops everything, clients before servers, and removes the directory unless it is to be kept.
    pub async fn stop(mut self) {
        for process in [&mut self.controller_manager, &mut self.api_server, &mut self.etcd] {
            if let Err(e) = process.stop(GRACE).await {
                (self.progress)(&format!("stopping {}: {e}", process.name()));
            }
        }
        if let Some(kept) = self.directory.kept() {
            (self.progress)(&format!("kept {}", kept.display()));
        }
    }
}

/// How long a component may take to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_can_be_started_and_stopped_by_a_spawned_task() {
        fn spawnable(_: impl Future<Output = Result<(), PlaneError>> + Send + 'static) {}
        spawnable(async {
            let plane = Plane::start(PlaneOptions::default()).await?;
            plane.service_account_kubeconfig("team-a", "robot").await?;
            plane.stop().await;
            Ok(())
        });
    }
}
