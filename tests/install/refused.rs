//! Bad values are refused before any object is created, in a message that says what to write instead.

use super::cluster::{chart, on_plane, one_account};

/// Arguments, and what the refusal says.
const BAD: &[(&[&str], &[&str])] = &[
    (&["--set=replicas=3"], &["replicas", "not allowed"]),
    (&["--set=replicaCount=0"], &["/replicaCount", "1"]),
    (&["--set=replicaCount=two"], &["/replicaCount", "integer"]),
    (&["--set=scope=all"], &["/scope", "'cluster', 'namespaces'"]),
    (&["--set=scope=namespaces"], &["namespaces:", "namespaces={team-a,team-b}"]),
    (&["--set=namespaces={team-a}"], &["namespaces:", "scope=namespaces"]),
    (&["--set=scope=namespaces", "--set=namespaces={Team_A}"], &["/namespaces/0", "pattern"]),
    (&["--set=leaderElection.namespace=Kube_System"], &["/leaderElection/namespace", "pattern"]),
    (&["--set=image.digest=latest"], &["/image/digest", "sha256"]),
    (&["--set=image.pullPolicy=Sometimes"], &["/image/pullPolicy", "'IfNotPresent'"]),
    (&["--set=metrics.perSchedule=Some"], &["perSchedule", "'Freshness'"]),
    (&["--set=metrics.serviceMonitor.renderMode=maybe"], &["renderMode", "'skipIfMissing'"]),
    (
        &["--set=metrics.serviceMonitor.enabled=true", "--set=metrics.serviceMonitor.renderMode=failIfMissing"],
        &["monitoring.coreos.com/v1", "skipIfMissing"],
    ),
    (&["--set=metrics.prometheusRule.thresholds.clockOffsetSeconds=900"], &["/thresholds/clockOffsetSeconds", "899"]),
    (&["--set=metrics.prometheusRule.thresholds.throttledShare=5"], &["/thresholds/throttledShare", "1"]),
    (&["--set=metrics.prometheusRule.thresholds.throttledShare=0"], &["/thresholds/throttledShare", "0"]),
    (&["--set=metrics.prometheusRule.thresholds.failedRuns=many"], &["/thresholds/failedRuns", "integer"]),
    (&["--set=metrics.prometheusRule.thresholds.stuckPendingSeconds=60"], &["/thresholds", "stuckPendingSeconds"]),
    (&["--set=metrics.prometheusRule.thresholds.failedRuns=null"], &["/thresholds", "failedRuns"]),
    (&["--set=metrics.prometheusRule.disabled={RdsBackupVanished}"], &["/prometheusRule/disabled/0", "'RdsBackupNotFresh'"]),
    (&["--set=metrics.prometheusRule.for.RdsBackupStale=30m"], &["/prometheusRule/for", "RdsBackupStale"]),
    (&["--set=metrics.prometheusRule.for.RdsBackupNotFresh=soon"], &["/prometheusRule/for/RdsBackupNotFresh", "pattern"]),
    (&["--set=metrics.prometheusRule.severity.RdsBackupStale=page"], &["/prometheusRule/severity", "RdsBackupStale"]),
    (&["--set=metrics.prometheusRule.severity.RdsBackupNotFresh=wake up"], &["/prometheusRule/severity/RdsBackupNotFresh", "pattern"]),
    (&["--set=metrics.prometheusRule.runbookBaseUrl=runbooks"], &["/prometheusRule/runbookBaseUrl", "http"]),
    (
        &["--set=metrics.prometheusRule.enabled=true", "--set=metrics.prometheusRule.renderMode=failIfMissing"],
        &["metrics.prometheusRule", "monitoring.coreos.com/v1", "skipIfMissing"],
    ),
    (
        &[
            "--set=metrics.podMonitor.enabled=true,metrics.podMonitor.renderMode=alwaysRender",
            "--set=metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.renderMode=alwaysRender",
        ],
        &["metrics.podMonitor", "enable one of them"],
    ),
    (&["--set=podDisruptionBudget.maxUnavailable=2"], &["podDisruptionBudget.maxUnavailable", "less than replicaCount"]),
    (&["--set=serviceAccount.create=false"], &["serviceAccount.name"]),
    (&["--set=accounts.default=null"], &["/accounts/default", "want object"]),
    (&["--set=accounts.default.allow=null"], &["/accounts/default", "allow"]),
    (&["--set=accounts.default.regionId=null"], &["/accounts/default", "regionId"]),
    (&["--set=accounts.default.accessKeyId=x"], &["/accounts/default", "accessKeyId"]),
    (&["--set=accounts.default.credentials.type=RRSA"], &["/accounts/default/credentials"]),
    (&["--set=accounts.default.credentials.name=null"], &["/accounts/default/credentials"]),
    (&["--set=accounts.default.protocol.clockSkew=soon"], &["/accounts/default/protocol/clockSkew"]),
    (&["--set=rrsa.enabled=true"], &["rrsa: give roleName", "manual.oidcProviderArn"]),
    (&["--set=rrsa.enabled=true,rrsa.manual.roleArn=acs:ram::1:role/backup"], &["rrsa: give roleName", "manual.oidcProviderArn"]),
    (&["--set=rrsa.enabled=true,rrsa.roleName=backup,rrsa.manual.roleArn=acs:ram::1:role/backup"], &["rrsa:", "give one of them"]),
    (&["--set=rrsa.enabled=true,rrsa.roleName=my role"], &["/rrsa/roleName", "pattern"]),
    (&["--set=rrsa.manual.roleArn=backup"], &["/rrsa/manual/roleArn", "pattern"]),
    (
        &["--set=rrsa.enabled=true,rrsa.roleName=backup", "--set=serviceAccount.create=false,serviceAccount.name=mine"],
        &["rrsa:", "pod-identity.alibabacloud.com/role-name"],
    ),
    (&["--set=admissionPolicy.enabled=true"], &["admissionPolicy: it refuses nothing yet", "minScheduleInterval"]),
    (&["--set=admissionPolicy.enabled=true,admissionPolicy.rules[0].accounts={a}"], &["admissionPolicy.rules[0]", "namespaceLabels"]),
    (&["--set=admissionPolicy.rules[0].namespaces={team-a}"], &["/admissionPolicy/rules/0", "accounts"]),
    (&["--set=admissionPolicy.rules[0].accounts={a*b}"], &["/admissionPolicy/rules/0/accounts/0", "pattern"]),
    (&["--set=admissionPolicy.rules[0].accounts={a},admissionPolicy.rules[0].namespaces={Team'a}"], &["/rules/0/namespaces/0", "pattern"]),
    (&["--set=admissionPolicy.minScheduleInterval=90m"], &["/admissionPolicy/minScheduleInterval", "pattern"]),
    (&["--set=admissionPolicy.actions={Refuse}"], &["/admissionPolicy/actions/0", "'Deny'"]),
    (&["--set=submissions=Stopped"], &["/submissions", "'Enabled', 'Paused'"]),
];

#[test]
fn bad_values_are_refused_with_what_to_write_instead() {
    on_plane(|cluster| async move {
        let (chart, values) = (chart(), one_account());
        for (name, helm) in cluster.helms() {
            let install = ["install", "--namespace", "default", "bad", &chart, "--values", &values, "--dry-run=server"];
            helm.run(&install).await.unwrap_or_else(|error| panic!("without anything bad: {error}"));
            let no_account = ["install", "--namespace", "default", "bad", &chart, "--dry-run=server"];
            let error = helm.run(&no_account).await.expect_err("there is no account").to_string();
            for words in ["accounts: name at least one", "      regionId: cn-hangzhou\n"] {
                assert!(error.contains(words), "{name}: {error}");
            }
            for (args, words) in BAD {
                let error = helm.run(&[&install, *args].concat()).await.expect_err(&format!("{name} {args:?}")).to_string();
                let said = error.split_once("): ").map_or(error.as_str(), |(_, said)| said);
                println!("{name} {}\n  {}", args.join(" "), said.replace('\n', "\n  "));
                for word in *words {
                    assert!(said.contains(word), "{name} {args:?}: {word:?} is not in: {said}");
                }
            }
        }
    });
}

#[test]
fn a_kubernetes_that_is_too_old_is_refused() {
    on_plane(|cluster| async move {
        let (chart, values) = (chart(), one_account());
        for (_, helm) in cluster.helms() {
            let old = ["template", &chart, "--values", &values, "--kube-version=1.32.9"];
            let said = helm.run(&old).await.expect_err("it is too old").to_string();
            assert!(said.contains("requires kubeVersion: >=1.33.0-0 which is incompatible with Kubernetes v1.32.9"), "{said}");
            let provider = ["template", &chart, "--values", &values, "--kube-version=1.33.1-aliyun.1"];
            helm.run(&provider).await.unwrap_or_else(|error| panic!("a provider's build of 1.33: {error}"));
        }
    });
}
