//! The flags of etcd, kube-apiserver and kube-controller-manager, and the audit policy.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::certs::Certs;

/// The layout of a plane's directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub root: PathBuf,
}

impl Layout {
    pub(super) fn certs(&self) -> PathBuf {
        self.root.join("certs")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The home directory of kubectl.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(super) fn kubeconfigs(&self) -> PathBuf {
        self.root.join("kubeconfigs")
    }

    pub(super) fn admin_kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    pub(super) fn controller_manager_kubeconfig(&self) -> PathBuf {
        self.kubeconfigs().join("kube-controller-manager.kubeconfig")
    }

    pub(super) fn etcd_data(&self) -> PathBuf {
        self.root.join("etcd")
    }

    pub(super) fn etcd_socket(&self) -> PathBuf {
        self.root.join("etcd.sock")
    }

    pub(super) fn audit_policy(&self) -> PathBuf {
        self.root.join("audit-policy.yaml")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    pub(super) fn log(&self, component: &str) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }
}

/// Bodies are logged for our own group, so that tests see what was written; for other groups only the user and the request are. The content
/// of Secrets is never logged.
pub(super) const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  resources: [{ group: rdsbackup.io }]
- level: Metadata
";

/// etcd listens on sockets in the plane's private directory only: no other process can take a port first, and no other user of the machine
/// can connect. It insists on advertising a host and a port; a cluster of one member never uses them.
pub(super) fn etcd(layout: &Layout) -> Vec<OsString> {
    const NOWHERE: &str = "http://127.0.0.1:1";
    vec![
        "--name=plane".into(),
        "--unsafe-no-fsync".into(), // A world that is thrown away need not survive a power cut.
        // A lone member waits out one election before it leads: ready after 0.1 s instead of 0.8 s.
        "--heartbeat-interval=20".into(),
        "--election-timeout=200".into(),
        flag("data-dir", &layout.etcd_data()),
        flag("listen-client-urls", &unix(&layout.etcd_socket())),
        flag("listen-peer-urls", &unix(&layout.root.join("peer.sock"))),
        flag("advertise-client-urls", NOWHERE.as_ref()),
        flag("initial-advertise-peer-urls", NOWHERE.as_ref()),
        flag("initial-cluster", format!("plane={NOWHERE}").as_ref()),
    ]
}

pub(super) fn kube_apiserver(layout: &Layout, certs: &Certs, port: u16, extra: &[String]) -> Vec<OsString> {
    let mut flags = vec![
        flag("etcd-servers", &unix(&layout.etcd_socket())),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(), // Else a machine without a default route cannot start it.
        format!("--secure-port={port}").into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--endpoint-reconciler-type=none".into(), // It would publish 127.0.0.1 as an endpoint, which is refused.
        flag("cert-dir", &layout.certs()),
        flag("tls-cert-file", &certs.serving.public),
        flag("tls-private-key-file", &certs.serving.key),
        flag("client-ca-file", &certs.ca),
        // Anonymous requests stay allowed as in a real cluster: RBAC gives them the health and version paths and nothing else.
        "--authorization-mode=RBAC".into(),
        "--allow-privileged=true".into(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        flag("service-account-key-file", &certs.service_account.public),
        flag("service-account-signing-key-file", &certs.service_account.key),
        flag("audit-policy-file", &layout.audit_policy()),
        flag("audit-log-path", &layout.audit_log()),
        "--audit-log-maxsize=0".into(), // Never rotated: a log that loses its beginning proves nothing.
    ];
    flags.extend(extra.iter().map(OsString::from));
    flags
}

/// Controllers that need nodes, volumes or a cloud have nothing to do here. What stays makes ServiceAccounts, empties namespaces, collects
/// garbage, runs Jobs and Deployments as far as Pods, and issues what a chart may ask for.
const CONTROLLERS: &str = "--controllers=*,-node-ipam-controller,-node-lifecycle-controller,-node-route-controller,-service-lb-controller,\
-cloud-node-lifecycle-controller,-persistentvolume-attach-detach-controller,-persistentvolume-binder-controller,\
-persistentvolume-expander-controller,-ephemeral-volume-controller,-taint-eviction-controller,-device-taint-eviction-controller,\
-horizontal-pod-autoscaler-controller";

pub(super) fn kube_controller_manager(layout: &Layout, certs: &Certs) -> Vec<OsString> {
    vec![
        flag("kubeconfig", &layout.controller_manager_kubeconfig()),
        flag("root-ca-file", &certs.ca),
        flag("service-account-private-key-file", &certs.service_account.key),
        "--use-service-account-credentials".into(), // Each controller is in the audit log by its own name.
        "--leader-elect=false".into(),
        // Its default limit is 20 requests a second, and is ready after 4 s instead of 0.7 s.
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
        // It serves no port: it is ready when it has created the `default` ServiceAccount.
        "--secure-port=0".into(),
        CONTROLLERS.into(),
    ]
}

fn flag(name: &str, value: &Path) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

fn unix(socket: &Path) -> PathBuf {
    let mut url = OsString::from("unix://");
    url.push(socket);
    url.into()
}
