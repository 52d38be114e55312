//! Which programs are built from which of the Go modules pinned in `sandbox/kubernetes`.

/// A module for each, because Go would otherwise choose one version of gRPC and OpenTelemetry for all.
pub(super) struct Module {
    pub name: &'static str,
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    /// The package whose version the module pins.
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
    pub what: fn() -> String,
    /// How long all of it takes on 2 cores.
    pub usually: &'static str,
    /// What can be done instead of installing Go.
    pub instead: &'static str,
    pub modules: &'static [&'static Module],
    pub steps: &'static [Step],
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

/// Helm 4 and Helm 3.
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
pub(super) struct Step {
    pub program: &'static str,
    pub module: &'static Module,
    pub package: &'static str,
    pub usually: &'static str,
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

/// Without a stamp the server reports v0.0.0-master, and a chart's `kubeVersion` check fails. Only linking sees these flags, so they cost
/// no compilation.
pub(super) fn ldflags(module: &Module) -> String {
    let mut flags = "-s -w".to_owned();
    let version = version(module);
    if let Some(helm) = module.pinned.strip_prefix("helm.sh/") {
        flags.push_str(&format!(" -X helm.sh/{helm}/internal/version.version={version}"));
        // The Kubernetes version that `helm template` assumes. Helm 4 reads it from its modules.
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
pub(super) fn wanted_go(set: &Set) -> (u32, u32) {
    let wanted = |module: &&Module| module.go_mod.lines().find_map(|line| go_version(line.strip_prefix("go ")?));
    set.modules.iter().filter_map(wanted).max().unwrap_or_default()
}

/// `1.26.8` or `1.27rc1` as (1, 26) and (1, 27).
pub(super) fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
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
}
