//! A world as a value: started, queried for its paths and addresses, stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::{Signature, operator_config};
use super::error::WorldError;
use super::install::{self, AccessKey, Manifests};
use super::installed::{NAMESPACE, SERVICE_ACCOUNT};
use super::operator::{Operator, OperatorError, StartOperator};
use crate::plane::{Kubectl, Plane, PlaneOptions, Progress, Reader};
use crate::rds::{Catalogue, Endpoint, Key, Options, Settings};

/// The options of a world.
pub struct WorldOptions {
    /// The operator's binary.
    pub operator: PathBuf,
    /// The repository: its `crds/`, and namespace and roles of `deploy/install/`, are applied.
    pub repository: PathBuf,
    /// How the endpoint behaves at first. The operator's configuration is made from the same figures.
    pub settings: Settings,
    /// How the operator signs its requests.
    pub signature: Signature,
    /// The instances there are.
    pub catalogue: Catalogue,
    /// Decides the endpoint's ids and job times.
    pub seed: u64,
    /// The world's directory, new or empty. A fresh temporary one if there is none.
    pub dir: Option<PathBuf>,
    /// Leave the directory behind, with logs and all.
    pub keep: bool,
    /// Where progress is reported. To stderr by default.
    pub progress: Progress,
    /// Appended to kube-apiserver's own, for tests of an unreliable server.
    pub extra_apiserver_flags: Vec<String>,
}

impl WorldOptions {
    /// A world with the default catalogue and [`Settings::sandbox`], in a temporary directory.
    pub fn new(operator: impl Into<PathBuf>, repository: impl Into<PathBuf>) -> Self {
        let PlaneOptions { dir, keep, progress, extra_apiserver_flags } = PlaneOptions::default();
        let (settings, catalogue) = (Settings::sandbox(), Catalogue::default());
        let (operator, repository) = (operator.into(), repository.into());
        Self {
            operator,
            repository,
            settings,
            signature: Signature::default(),
            catalogue,
            seed: 1,
            dir,
            keep,
            progress,
            extra_apiserver_flags,
        }
    }
}

/// The access key of the world's endpoint.
const KEY: AccessKey = AccessKey { id: "sandbox-key", secret: "sandbox-secret" };

/// A running world. Dropping it kills its processes and removes its directory; [`World::stop`] does so in order.
///
/// Operators that were started in it are the caller's: end them first.
pub struct World {
    /// The simulated endpoint.
    pub rds: Endpoint,
    /// The control plane.
    pub plane: Plane,
    signature: Signature,
    operator: PathBuf,
    kubeconfig: PathBuf,
    config: PathBuf,
    repository: PathBuf,
    operators: AtomicUsize,
}

impl World {
    /// Starts one: 4 s on 2 idle cores, and some minutes before that the first time, when the programs of the plane have to be built.
    pub async fn start(options: WorldOptions) -> Result<Self, WorldError> {
        let WorldOptions { operator, repository, settings, signature, catalogue, seed, dir, keep, progress, extra_apiserver_flags } =
            options;
        // The cheap checks first: a missing file is reported before a plane is started.
        if !operator.is_file() {
            return Err(WorldError::Missing { what: "the operator's binary", path: operator });
        }
        let manifests = Manifests::find(&repository)?;
        let progress: Arc<dyn Fn(&str) + Send + Sync> = progress.into();
        let of_plane = Arc::clone(&progress);

        let plane = Plane::start(PlaneOptions { dir, keep, progress: Box::new(move |line| of_plane(line)), extra_apiserver_flags }).await?;
        let call_log_file = Some(plane.dir().join("logs").join("rds-calls.jsonl"));
        let options = Options { keys: vec![Key::new(KEY.id, KEY.secret)], catalogue, settings, seed, call_log_file, ..Options::default() };
        let rds = Endpoint::start(options).await.map_err(WorldError::Endpoint)?;
        progress(&format!("the simulated RDS endpoint is ready at {}", rds.url()));

        install::install(&plane, &manifests, &KEY).await?;
        let kubeconfig = plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT).await?;
        let config = plane.dir().join("operator.yaml");
        let world = Self { rds, plane, signature, operator, kubeconfig, config, repository, operators: AtomicUsize::new(0) };
        world.write_config("operator.yaml", &world.operator_config(""))?;
        progress("the operator's CRDs, roles, Secret and configuration are in place");
        Ok(world)
    }

    /// Applies once more what the operator needs before it starts, to a control plane that has lost it. The operator's kubeconfig is
    /// created again, since the token in the old one belongs to a deleted ServiceAccount.
    pub async fn install_again(&self) -> Result<(), WorldError> {
        install::install(&self.plane, &Manifests::find(&self.repository)?, &KEY).await?;
        self.plane.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT).await?;
        Ok(())
    }

    /// The text of a configuration whose account `default` is this world's endpoint, with `extra` appended as it is: keys of the top level
    /// or, indented by two, more accounts.
    pub fn operator_config(&self, extra: &str) -> String {
        operator_config(&self.rds.url(), self.signature, &self.rds.settings(), extra)
    }

    /// Writes a configuration into the world's directory, for [`StartOperator::config`].
    pub fn write_config(&self, name: &str, text: &str) -> Result<PathBuf, WorldError> {
        let path = self.dir().join(name);
        std::fs::write(&path, text).map_err(|source| WorldError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    /// The configuration that an operator gets if it is given no other.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The kubeconfig of the operator's ServiceAccount.
    pub fn operator_kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The directory that holds all of it.
    pub fn dir(&self) -> &Path {
        self.plane.dir()
    }

    /// kubectl as an administrator.
    pub fn kubectl(&self) -> Kubectl {
        self.plane.kubectl()
    }

    /// Reads objects as an administrator.
    pub fn reader(&self) -> Reader {
        self.plane.reader()
    }

    /// Starts an operator: one, or several to see them compete. Each has a log of its own, `logs/operator-1.log` and so on.
    pub fn start_operator(&self, start: StartOperator) -> Result<Operator, OperatorError> {
        let number = self.operators.fetch_add(1, Ordering::Relaxed) + 1;
        Operator::spawn(number, &self.operator, self.dir(), &self.kubeconfig, &self.config, start)
    }

    /// Stops everything and removes the directory unless it is to be kept.
    pub async fn stop(self) {
        let Self { rds, plane, .. } = self;
        // The endpoint first: without it no new job can start while the plane stops.
        rds.stop().await;
        plane.stop().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_missing_is_named_before_anything_is_started() {
        let repository = tempfile::tempdir().expect("a directory");
        let missing = |what: PathBuf| async {
            let options =
                WorldOptions { progress: Box::new(|line| panic!("started: {line}")), ..WorldOptions::new(what, repository.path()) };
            World::start(options).await.err().expect("no world").to_string()
        };
        let nowhere = repository.path().join("nowhere");
        assert_eq!(missing(nowhere.clone()).await, format!("the operator's binary is not at {}", nowhere.display()));
        let crds = repository.path().join("crds");
        assert_eq!(missing("/bin/sh".into()).await, format!("the directory of the CRDs is not at {}", crds.display()));
    }

    #[test]
    fn a_world_can_be_started_and_stopped_by_a_spawned_task() {
        fn spawnable(_: impl Future<Output = Result<(), WorldError>> + Send + 'static) {}
        spawnable(async {
            let world = World::start(WorldOptions::new("operator", ".")).await?;
            let mut operator = world.start_operator(StartOperator::default())?;
            operator.wait_ready(std::time::Duration::from_secs(1)).await?;
            operator.stop().await?;
            world.stop().await;
            Ok(())
        });
    }
}
