//! Pod Security `restricted`, enforced: the pods are made, and with any line of a securityContext gone they are not.

use serde_json::Value;

use super::cluster::{chart, on_plane, one_account};

const NAMESPACE: &str = "restricted";

/// Each line that `restricted` asks for, taken out.
const LINES: [&str; 5] = [
    "podSecurityContext.runAsNonRoot=null",
    "podSecurityContext.seccompProfile=null",
    "securityContext.allowPrivilegeEscalation=null",
    "securityContext.capabilities=null",
    "podSecurityContext.runAsUser=0",
];

#[test]
fn pods_are_made_in_a_restricted_namespace_and_with_a_line_less_refused() {
    on_plane(|cluster| async move {
        cluster.kubectl_ok(&["create", "namespace", NAMESPACE]).await;
        cluster.kubectl_ok(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"]).await;
        let (helm, chart, values) = (cluster.helm(), chart(), one_account());
        let run = async |args: &[&str]| helm.run(args).await.unwrap_or_else(|error| panic!("{error}"));
        let release = ["r", chart.as_str(), "--namespace", NAMESPACE, "--values", &values];
        run(&[&["install"], &release[..]].concat()).await;
        let pods = cluster.until("pods", NAMESPACE, "2 pods", |pods| pods.len() == 2).await;
        assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Pending"), "{pods:#?}");
        let failed = |events: &[Value]| events.iter().filter(|event| event["reason"] == "FailedCreate").count();
        assert_eq!(failed(&cluster.list("events", NAMESPACE).await), 0, "nothing was refused");
        cluster.served().await;
        run(&["uninstall", "r", "--namespace", NAMESPACE]).await;
        cluster.until("pods", NAMESPACE, "gone", |pods| pods.is_empty()).await;

        for (number, line) in LINES.iter().enumerate() {
            let (release, set) = (format!("r{number}"), format!("--set={line}"));
            run(&["install", &release, &chart, "--namespace", NAMESPACE, "--values", &values, "--set=crds.install=false", &set]).await;
            let of_release =
                |event: &Value| event["involvedObject"]["name"].as_str().is_some_and(|name| name.starts_with(&format!("{release}-")));
            let refused = |events: &[Value]| events.iter().any(|event| event["reason"] == "FailedCreate" && of_release(event));
            let events = cluster.until("events", NAMESPACE, "FailedCreate", refused).await;
            let event = events.iter().find(|event| event["reason"] == "FailedCreate" && of_release(event)).expect("it is there");
            let message = event["message"].as_str().unwrap_or_default();
            println!("{line}: {message}");
            assert!(message.contains("violates PodSecurity \"restricted"), "{message}");
            assert!(cluster.list("pods", NAMESPACE).await.is_empty(), "{line}");
            run(&["uninstall", &release, "--namespace", NAMESPACE]).await;
        }
        cluster.clean(&[NAMESPACE]).await;
    });
}
