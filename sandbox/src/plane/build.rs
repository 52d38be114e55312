//! Builds etcd, Kubernetes and Helm from the Go modules pinned in `sandbox/kubernetes`, with signs of life, since it takes minutes.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::Progress;
use super::process::Supervised;

/// A module for each, because Go would otherwise choose one version of gRPC and OpenTelemetry for all.
struct Module {
    name: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// The package whose version the whole module is about.
    pinned: &'static str,
}

const ETCD: Module = Module {
    name: "etcd",
    go_mod: include_str!("../../kubernetes/etcd/go.mod"),
    go_sum: include_str!("../../kubernetes/etcd/go.sum"),
    pinned: "go.etcd.io/etcd/server/v3",
};

const KUBERNETES: Module = Module {
    name: "kube",
    go_mod: include_str!("../../kubernetes/kube/go.mod"),
    go_sum: include_str!("../../kubernetes/kube/go.sum"),
    pinned: "k8s.io/kubernetes",
};

const HELM4: Module = Module {
    name: "helm4",
    go_mod: include_str!("../../kubernetes/helm4/go.mod"),
    go_sum: include_str!("../../kubernetes/helm4/go.sum"),
    pinned: "helm.sh/helm/v4",
};

const HELM3: Module = Module {
    name: "helm3",
    go_mod: include_str!("../../kubernetes/helm3/go.mod"),
    go_sum: include_str!("../../kubernetes/helm3/go.sum"),
    pinned: "helm.sh/helm/v3",
};

/// Programs that are built and kept together.
pub(super) struct Set {
    /// What its directory in the cache begins with.
    pub name: &'static str,
    /// What it is for people, with its versions.
    what: fn() -> String,
    /// How long all of it takes on 2 cores.
    usually: &'static str,
    /// What does as well as a Go to build it with.
    instead: &'static str,
    modules: &'static [&'static Module],
    steps: &'static [Step],
}

/// A control plane and its client.
pub(super) const PLANE: Set = Set {
    name: "kubernetes",
    what: || format!("etcd {} and Kubernetes {}", version(&ETCD), version(&KUBERNETES)),
    usually: "8 minutes",
    instead: ASSETS,
    modules: &[&ETCD, &KUBERNETES],
    steps: &STEPS,
};

/// Both Helms that are in use.
pub(super) const HELM: Set = Set {
    name: "helm",
    what: || format!("Helm {} and {}", version(&HELM4), version(&HELM3)),
    usually: "3 minutes",
    instead: "",
    modules: &[&HELM4, &HELM3],
    steps: &[
        Step { program: "helm4", module: &HELM4, package: "helm.sh/helm/v4/cmd/helm", usually: "2 minutes" },
        Step { program: "helm3", module: &HELM3, package: "helm.sh/helm/v3/cmd/helm", usually: "1 minute" },
    ],
};

/// One program: its module, its package, and about how long a cold build takes on 2 cores, after the ones before it. The sum is 7 min 10 s.
struct Step {
    program: &'static str,
    module: &'static Module,
    package: &'static str,
    usually: &'static str,
}

const STEPS: [Step; 4] = [
    Step { program: "etcd", module: &ETCD, package: "go.etcd.io/etcd/server/v3", usually: "1 minute" },
    Step { program: "kube-apiserver", module: &KUBERNETES, package: "k8s.io/kubernetes/cmd/kube-apiserver", usually: "5 minutes" },
    Step {
        program: "kube-controller-manager",
        module: &KUBERNETES,
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        usually: "2 minutes",
    },
    Step { program: "kubectl", module: &KUBERNETES, package: "k8s.io/kubernetes/cmd/kubectl", usually: "half a minute" },
];

/// Between two signs of life.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// For one program. The slowest took 4 min 32 s on 2 busy cores.
const STEP_LIMIT: Duration = Duration::from_secs(3600);

/// Why the programs could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no Go.
    #[error("{what} have to be built once, and there is no `go` in PATH: install Go {wanted} or later{instead}")]
    NoGo {
        /// What is to be built.
        what: String,
        /// What would do as well.
        instead: &'static str,
        /// The oldest version that will do.
        wanted: String,
    },
    /// There is a Go, but an old one.
    #[error("{what} have to be built once, and {} is {found}: install Go {wanted} or later{instead}", go.display())]
    OldGo {
        /// What is to be built.
        what: String,
        /// What would do as well.
        instead: &'static str,
        /// The one in PATH.
        go: PathBuf,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        wanted: String,
    },
    /// Files could not be written, or Go could not be run.
    #[error("building {program}")]
    Io {
        /// The program whose turn it was.
        program: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// Go says no.
    #[error("go could not build {program} ({status}):\n{output}")]
    Failed {
        /// The program whose turn it was.
        program: &'static str,
        /// How Go ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// It hangs.
    #[error("go did not build {program} within {limit:?}")]
    TimedOut {
        /// The program whose turn it was.
        program: &'static str,
        /// How long it was given.
        limit: Duration,
    },
}

const ASSETS: &str = ", or set KUBEBUILDER_ASSETS to a directory with etcd, kube-apiserver, kube-controller-manager and kubectl";

impl Set {
    /// Everything that decides what comes out.
    pub(super) fn inputs(&self) -> Vec<String> {
        let files = self.modules.iter().flat_map(|module| [module.go_mod.to_owned(), module.go_sum.to_owned()]);
        files.chain([ldflags(self.modules[self.modules.len() - 1])]).collect()
    }

    /// What its programs are called.
    pub(super) fn programs(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|step| step.program)
    }
}

/// Builds all programs of a set into `out`, which is to become `home`.
pub(super) async fn build(set: &Set, out: &Path, home: &Path, progress: &Progress) -> Result<(), BuildError> {
    let began = Instant::now();
    let environment = Environment::ours();
    let io = |program| move |source| BuildError::Io { program, source };
    let modules = out.join("modules");
    for module in set.modules {
        let dir = modules.join(module.name);
        fs::create_dir_all(&dir).map_err(io(module.name))?;
        fs::write(dir.join("go.mod"), module.go_mod).map_err(io(module.name))?;
        fs::write(dir.join("go.sum"), module.go_sum).map_err(io(module.name))?;
    }
    let log = modules.join("go.log");
    let go = find_go(set, &environment, &modules, &log).await?;

    let count = set.steps.len();
    progress(&format!("building {} with Go, once, for {}; {} on 2 cores", (set.what)(), home.display(), set.usually));
    for (number, step) in set.steps.iter().enumerate() {
        let step_began = Instant::now();
        progress(&format!("[{}/{count}] building {} (about {} on 2 cores)", number + 1, step.program, step.usually));
        fs::write(&log, "").map_err(io(step.program))?;
        run_step(step, &go, &environment, out, progress).await?;
        let (took, total) = (span(step_began.elapsed()), span(began.elapsed()));
        progress(&format!("[{}/{count}] built {} in {took}; {total} in all", number + 1, step.program));
    }
    fs::remove_dir_all(&modules).map_err(io("the modules"))
}

async fn run_step(step: &Step, go: &Path, environment: &Environment, out: &Path, progress: &Progress) -> Result<(), BuildError> {
    let program = step.program;
    let io = |source| BuildError::Io { program, source };
    let modules = out.join("modules");
    let flags = ldflags(step.module);
    let (module, target) = (modules.join(step.module.name), out.join(program));
    let args: [&OsStr; 10] = [
        "build".as_ref(),
        "-C".as_ref(),
        module.as_os_str(),
        "-trimpath".as_ref(),
        "-buildvcs=false".as_ref(),
        "-ldflags".as_ref(),
        flags.as_ref(),
        "-o".as_ref(),
        target.as_os_str(),
        step.package.as_ref(),
    ];
    let mut process = Supervised::spawn(program, go, args, environment.with_go(), &modules.join("go.log")).map_err(io)?;
    let began = Instant::now();
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            status = process.wait() => {
                let status = status.map_err(io)?;
                return if status.success() { Ok(()) } else { Err(BuildError::Failed { program, status, output: process.log_tail() }) };
            }
            _ = heartbeat.tick() => {
                if began.elapsed() > STEP_LIMIT {
                    return Err(BuildError::TimedOut { program, limit: STEP_LIMIT });
                }
                progress(&format!("building {program}, {} so far; about {} on 2 cores, once", span(began.elapsed()), step.usually));
            }
        }
    }
}

/// Without a stamp the server reports v0.0.0-master, and a chart's `kubeVersion` check fails. Only linking sees these flags, so they cost no
/// compilation.
fn ldflags(module: &Module) -> String {
    let mut flags = "-s -w".to_owned();
    let version = version(module);
    if let Some(helm) = module.pinned.strip_prefix("helm.sh/") {
        flags.push_str(&format!(" -X helm.sh/{helm}/internal/version.version={version}"));
        // Which Kubernetes `helm template` takes a cluster for. Helm 4 reads it from its modules.
        let client = pinned(module, "k8s.io/client-go").trim_start_matches("v0.");
        let minor = client.split('.').next().unwrap_or_default();
        for package in ["chartutil", "lint/rules"].iter().filter(|_| module.pinned == HELM3.pinned) {
            let package = format!("helm.sh/{helm}/pkg/{package}");
            flags.push_str(&format!(" -X {package}.k8sVersionMajor=1 -X {package}.k8sVersionMinor={minor}"));
        }
        return flags;
    }
    if module.pinned != KUBERNETES.pinned {
        return flags;
    }
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        let stamps = [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
            ("gitCommit", "module-proxy"),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ];
        for (name, value) in stamps {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    flags
}

/// The version that a module pins: `go.mod` is the one place that says it.
fn version(module: &Module) -> &'static str {
    pinned(module, module.pinned)
}

fn pinned(module: &Module, package: &str) -> &'static str {
    let line = module.go_mod.lines().find_map(|line| line.trim().strip_prefix(package)?.strip_prefix(' '));
    line.and_then(|rest| rest.split_whitespace().next()).unwrap_or("of an unknown version")
}

/// The oldest Go that all modules of a set build with.
fn wanted_go(set: &Set) -> (u32, u32) {
    let wanted = |module: &&Module| module.go_mod.lines().find_map(|line| go_version(line.strip_prefix("go ")?));
    set.modules.iter().filter_map(wanted).max().unwrap_or_default()
}

/// `1.26.8` or `1.27rc1` as (1, 26) and (1, 27).
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

async fn find_go(set: &Set, environment: &Environment, dir: &Path, log: &Path) -> Result<PathBuf, BuildError> {
    let (major, minor) = wanted_go(set);
    let wanted = format!("{major}.{minor}");
    let path = environment.get("PATH").unwrap_or_default();
    let go = std::env::split_paths(&path).map(|dir| dir.join("go")).find(|go| go.is_file());
    let go = go.ok_or_else(|| BuildError::NoGo { what: (set.what)(), instead: set.instead, wanted: wanted.clone() })?;

    let io = |source| BuildError::Io { program: "go", source };
    // `-C` so that no go.mod of the directory we happen to be in has a say.
    let args = ["env".as_ref(), "-C".as_ref(), dir.as_os_str(), "GOVERSION".as_ref()];
    let mut process = Supervised::spawn("go env", &go, args, environment.with_go(), log).map_err(io)?;
    let limit = Duration::from_secs(60);
    let status =
        tokio::time::timeout(limit, process.wait()).await.map_err(|_| BuildError::TimedOut { program: "go", limit })?.map_err(io)?;
    let printed = process.log_tail();
    if !status.success() {
        return Err(BuildError::Failed { program: "go", status, output: printed });
    }
    match go_version(printed.trim().trim_start_matches("go")) {
        Some(found) if found < (major, minor) => {
            Err(BuildError::OldGo { what: (set.what)(), instead: set.instead, go, found: printed.trim().to_owned(), wanted })
        }
        // A development build has a version like `devel go1.28-...`: it knows what it does.
        _ => Ok(go),
    }
}

/// Go gets our environment: its caches, its proxy and the machine's certificates are set there.
struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    fn ours() -> Self {
        Self(std::env::vars_os().collect())
    }

    fn get(&self, name: &str) -> Option<OsString> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// What must not depend on the user: static binaries, no toolchain fetched behind our back, no flags or workspace from outside.
    fn with_go(&self) -> Vec<(OsString, OsString)> {
        let ours = [("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")];
        let theirs = self.0.iter().filter(|(key, _)| ours.iter().all(|(name, _)| key != name)).cloned();
        theirs.chain(ours.iter().map(|(key, value)| (key.into(), value.into()))).collect()
    }
}

/// A duration as one would say it: `45 s`, `2 min`, `2 min 15 s`.
pub(super) fn span(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_versions_are_read_from_go_mod() {
        assert_eq!((version(&ETCD), version(&KUBERNETES)), ("v3.6.13", "v1.36.3"));
        assert_eq!((version(&HELM4), version(&HELM3)), ("v4.2.4", "v3.21.3"));
        assert_eq!((wanted_go(&PLANE), wanted_go(&HELM)), ((1, 26), (1, 26)));
    }

    #[test]
    fn kubernetes_and_helm_are_stamped_with_their_versions_and_etcd_is_not() {
        assert!(ldflags(&KUBERNETES).contains("-X k8s.io/component-base/version.gitVersion=v1.36.3"));
        assert!(ldflags(&KUBERNETES).contains("-X k8s.io/client-go/pkg/version.gitMinor=36"));
        assert_eq!(ldflags(&ETCD), "-s -w");
        assert_eq!(ldflags(&HELM4), "-s -w -X helm.sh/helm/v4/internal/version.version=v4.2.4");
        assert!(ldflags(&HELM3).contains("-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36 "), "{}", ldflags(&HELM3));
    }

    #[test]
    fn go_versions_compare_as_numbers() {
        assert_eq!(go_version("1.26.8"), Some((1, 26)));
        assert_eq!(go_version("1.27rc1"), Some((1, 27)));
        assert!(go_version("1.9.7") < go_version("1.26"));
        assert_eq!(go_version("devel"), None);
    }

    #[test]
    fn what_go_must_not_take_from_outside_is_set_once() {
        let outside = Environment(vec![("GOFLAGS".into(), "-mod=mod".into()), ("GOPROXY".into(), "direct".into())]);
        let given = outside.with_go();
        let values = |name: &str| given.iter().filter(|(key, _)| key == name).map(|(_, value)| value.to_str()).collect::<Vec<_>>();
        assert_eq!(values("GOFLAGS"), [Some("-mod=readonly")]);
        assert_eq!(values("GOPROXY"), [Some("direct")]);
    }

    #[test]
    fn a_span_is_written_as_one_would_say_it() {
        let spans = [15, 120, 135].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["15 s", "2 min", "2 min 15 s"]);
    }
}
