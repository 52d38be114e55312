//! The manifests that the chart renders for given values.

use serde_json::{Value, json};

use super::cluster::{chart, documents, on_plane, one_account, repository};

#[test]
fn values_become_what_they_say() {
    on_plane(|cluster| async move {
        let (helm, chart, values) = (cluster.helm(), chart(), one_account());
        let render = async |args: &[&str]| -> Vec<Value> {
            let args = [&["template", "x", &chart, "--namespace=ops", "--values", &values], args].concat();
            documents(&helm.run(&args).await.unwrap_or_else(|error| panic!("{error}")))
        };
        let all = |objects: &[Value], kind: &str| objects.iter().filter(|object| object["kind"] == kind).cloned().collect::<Vec<_>>();
        let pod = |objects: &[Value]| all(objects, "Deployment")[0]["spec"]["template"]["spec"].clone();

        let plain = render(&[]).await;
        assert!(plain.iter().all(|object| object["kind"] != "Secret"), "no Secret is made: accounts name them");
        for kind in ["NetworkPolicy", "ServiceMonitor"] {
            assert!(all(&plain, kind).is_empty(), "{kind} is asked for");
        }
        for object in &plain {
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/instance"], "x", "{object}");
        }
        let crds = all(&plain, "CustomResourceDefinition");
        assert!(crds.len() == 2 && crds.iter().all(|crd| crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"));

        let digest = format!("sha256:{}", "0".repeat(64));
        let image =
            render(&["--set=global.imageRegistry=mirror.example", "--set=image.registry=ghcr.io", &format!("--set=image.digest={digest}")])
                .await;
        assert_eq!(pod(&image)["containers"][0]["image"], format!("mirror.example/rds-backup-operator@{digest}"));
        assert_eq!(pod(&plain)["containers"][0]["image"], format!("rds-backup-operator:{}", env!("CARGO_PKG_VERSION")));

        let single = render(&["--set=replicaCount=1"]).await;
        assert!(all(&single, "PodDisruptionBudget").is_empty(), "it would keep a node from being drained");

        let scoped = render(&["--set=scope=namespaces", "--set=namespaces={team-b,team-a}"]).await;
        let mut roles: Vec<String> = all(&scoped, "Role").iter().map(|role| role["metadata"]["namespace"].to_string()).collect();
        roles.sort();
        assert_eq!(
            roles,
            ["\"ops\"", "\"ops\"", "\"team-a\"", "\"team-b\""],
            "for the Secrets, for the lease, and for the objects of each"
        );
        let names: Vec<String> = all(&scoped, "ClusterRole").iter().map(|role| role["metadata"]["name"].to_string()).collect();
        let aggregated = |name: &&String| name.ends_with("-edit\"") || name.ends_with("-view\"");
        assert!(names.len() == 3 && names.iter().filter(aggregated).count() == 2, "two are for people's roles: {names:?}");
        // Over the whole cluster it reads, by name, and lists RdsBackups.
        let of_the_scope = |objects: &[Value]| {
            let roles = all(objects, "ClusterRole");
            let role = roles
                .iter()
                .find(|role| role["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("ops-") && name.ends_with("-scope")));
            let rules = role.expect("the role of the scope")["rules"].as_array().cloned().unwrap_or_default();
            rules
                .iter()
                .map(|rule| (rule["resources"][0].clone(), rule["verbs"].clone(), rule["resourceNames"].clone()))
                .collect::<Vec<_>>()
        };
        let namespaces = (json!("namespaces"), json!(["get"]), json!(["team-a", "team-b"]));
        let crds =
            (json!("customresourcedefinitions"), json!(["get"]), json!(["rdsbackups.rdsbackup.io", "rdsbackupschedules.rdsbackup.io"]));
        let claims = (json!("rdsbackups"), json!(["list"]), Value::Null);
        assert_eq!(of_the_scope(&scoped), [namespaces.clone(), crds.clone(), claims]);
        let narrow = ["--set=scope=namespaces", "--set=namespaces={team-b,team-a}", "--set=rbac.clusterWideClaims=false"];
        assert_eq!(of_the_scope(&render(&narrow).await), [namespaces, crds]);
        // An umbrella chart turns it on or off by a condition.
        render(&["--set=enabled=true"]).await;
        let args = pod(&scoped)["containers"][0]["args"].clone();
        assert!(args.as_array().unwrap().ends_with(&[json!("--watch-namespace=team-a"), json!("--watch-namespace=team-b")]), "{args}");

        let two = render(&[
            "--set-json=accounts.b={\"regionId\":\"cn-beijing\",\"credentials\":{\"type\":\"Secret\",\"name\":\"key-b\"},\"allow\":[]}",
            "--set-json=accounts.c={\"regionId\":\"cn-beijing\",\"credentials\":{\"type\":\"Auto\"},\"allow\":[]}",
        ])
        .await;
        let own = all(&two, "Role").into_iter().find(|role| role["metadata"]["name"] == "x-rds-backup-operator").expect("for the Secrets");
        let only = (own["metadata"]["namespace"].clone(), own["rules"].as_array().map(Vec::len), own["rules"][0]["resourceNames"].clone());
        assert_eq!(only, (json!("ops"), Some(1), json!(["key-b", "rds-access-key"])));
        // Without an access key in a Secret it has no rights in its namespace.
        let auto = "--set-json=accounts.c={\"regionId\":\"cn-beijing\",\"credentials\":{\"type\":\"Auto\"},\"allow\":[]}";
        let auto = helm.run(&["template", "x", &chart, "--namespace=ops", auto]).await.unwrap_or_else(|error| panic!("{error}"));
        let roles = all(&documents(&auto), "Role");
        assert!(roles.len() == 1 && roles[0]["metadata"]["namespace"] == "kube-system", "{roles:?}");

        // The keys of tenants: get on Secrets of one name, in each of the namespaces or by a ClusterRole, and nothing in the operator's own.
        let tenants = "--set-json=accounts={\"c\":{\"regionId\":\"cn-beijing\",\"credentials\":{\"type\":\"TenantSecret\",\"name\":\"rds-key\"},\"allow\":[]}}";
        let of_tenants = |objects: &[Value], kind: &str| {
            let named = |object: &Value| object["metadata"]["name"] == "x-rds-backup-operator-tenant-secrets";
            let found = all(objects, kind).into_iter().filter(named);
            found.map(|object| (object["metadata"]["namespace"].clone(), object["rules"].clone())).collect::<Vec<_>>()
        };
        let rules = json!([{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["rds-key"], "verbs": ["get"] }]);
        let narrow = ["template", "x", &chart, "--namespace=ops", tenants, "--set=scope=namespaces", "--set=namespaces={team-b,team-a}"];
        let narrow = documents(&helm.run(&narrow).await.unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(of_tenants(&narrow, "Role"), [(json!("team-a"), rules.clone()), (json!("team-b"), rules.clone())]);
        assert_eq!(of_tenants(&narrow, "RoleBinding").len(), 2);
        assert!(of_tenants(&narrow, "ClusterRole").is_empty());
        let wide =
            documents(&helm.run(&["template", "x", &chart, "--namespace=ops", tenants]).await.unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(of_tenants(&wide, "ClusterRole"), [(Value::Null, rules)]);
        assert_eq!((of_tenants(&wide, "ClusterRoleBinding").len(), of_tenants(&wide, "Role").len()), (1, 0));
        assert!(
            of_tenants(&plain, "ClusterRole").is_empty() && of_tenants(&scoped, "Role").is_empty(),
            "only where an account asks for it"
        );

        // All releases of the whole cluster have one lease, wherever they are installed; the holder is named by the Deployment.
        let election = |objects: &[Value]| {
            let of_lease = |object: &&Value| object["metadata"]["name"] == "ops-x-rds-backup-operator-lease";
            let (roles, bindings) = (all(objects, "Role"), all(objects, "RoleBinding"));
            let role = roles.iter().find(of_lease).expect("a Role for the lease");
            let binding = bindings.iter().find(of_lease).expect("its RoleBinding");
            assert_eq!(role["metadata"]["namespace"], binding["metadata"]["namespace"]);
            assert_eq!((&binding["subjects"][0]["namespace"], &role["rules"][0]["verbs"]), (&json!("ops"), &json!(["get", "update"])));
            let container = pod(objects)["containers"][0].clone();
            let env = container["env"].as_array().into_iter().flatten().find(|env| env["name"] == "INSTALL_NAME").cloned();
            assert_eq!(env.expect("the install's name")["value"], all(objects, "Deployment")[0]["metadata"]["name"]);
            let args = container["args"].as_array().cloned().unwrap_or_default();
            let arg = args.into_iter().find(|arg| arg.as_str().is_some_and(|arg| arg.starts_with("--lease-namespace")));
            (role["metadata"]["namespace"].clone(), role["rules"][0]["resourceNames"].clone(), arg)
        };
        assert_eq!(election(&plain), (json!("kube-system"), json!(["rds-backup-operator"]), None));
        let elsewhere = render(&["--set=leaderElection.namespace=leases"]).await;
        assert_eq!(election(&elsewhere), (json!("leases"), json!(["rds-backup-operator"]), Some(json!("--lease-namespace=leases"))));
        assert_eq!(election(&scoped), (json!("ops"), json!(["rds-backup-operator-183efbe2"]), None), "as the operator names it");
        let config = all(&two, "ConfigMap")[0]["data"]["config.yaml"].as_str().unwrap_or_default().to_owned();
        let config = rds_backup_operator::config::Config::parse(&config).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.accounts.keys().collect::<Vec<_>>(), ["b", "c", "default"]);

        let monitored = ["--set=metrics.serviceMonitor.enabled=true", "--set=metrics.serviceMonitor.labels.release=prometheus"];
        assert!(all(&render(&monitored).await, "ServiceMonitor").is_empty(), "skipIfMissing: this cluster does not know the kind");
        let known = [&monitored[..], &["--api-versions=monitoring.coreos.com/v1"]].concat();
        assert_eq!(all(&render(&known).await, "ServiceMonitor")[0]["metadata"]["labels"]["release"], "prometheus");

        let more = render(&[
            "--set-json=extraObjects=[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"{{ .Release.Name }}-more\"}}]",
            "--set=networkPolicy.enabled=true",
        ])
        .await;
        assert!(all(&more, "ConfigMap").iter().any(|object| object["metadata"]["name"] == "x-more"));
        assert_eq!(all(&more, "NetworkPolicy").len(), 1);
        // The API server takes every kind that it knows.
        cluster.kubectl_ok(&["create", "namespace", "ops"]).await;
        let text = json!({ "apiVersion": "v1", "kind": "List", "items": more }).to_string();
        cluster
            .kubectl()
            .run_with_input(&["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"], &text)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        cluster.kubectl_ok(&["delete", "namespace", "ops"]).await;
    });
}

/// With the webhook of ACK the chart sets what it reads; without it, what it would set.
#[test]
fn rrsa_is_set_up_for_the_webhook_or_by_hand() {
    on_plane(|cluster| async move {
        let (chart, values) = (chart(), one_account());
        let render = async |args: &[&str]| -> Vec<Value> {
            let args = [&["template", "x", &chart, "--namespace=default", "--values", &values], args].concat();
            documents(&cluster.helm().run(&args).await.unwrap_or_else(|error| panic!("{error}")))
        };
        let one = |objects: &[Value], kind: &str| objects.iter().find(|object| object["kind"] == kind).cloned().unwrap_or_default();
        let label = |objects: &[Value]| {
            one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]["pod-identity.alibabacloud.com/injection"].clone()
        };
        let role = |objects: &[Value]| {
            one(objects, "ServiceAccount")["metadata"]["annotations"]["pod-identity.alibabacloud.com/role-name"].clone()
        };
        let pod = |objects: &[Value]| one(objects, "Deployment")["spec"]["template"]["spec"].to_string();

        let without = render(&[]).await;
        assert_eq!((label(&without), role(&without)), (Value::Null, Value::Null));
        let webhook = render(&["--set=rrsa.enabled=true,rrsa.roleName=backup", "--set=serviceAccount.annotations.a=b"]).await;
        assert_eq!((label(&webhook), role(&webhook)), (json!("on"), json!("backup")));
        assert_eq!(one(&webhook, "ServiceAccount")["metadata"]["annotations"]["a"], "b");
        assert!(!pod(&webhook).contains("rrsa") && !pod(&webhook).contains("ALIBABA_CLOUD"), "the webhook does the rest");

        let (role_arn, provider) = ("acs:ram::1:role/backup", "acs:ram::1:oidc-provider/ack-rrsa-c1");
        let by_hand = format!("--set=rrsa.enabled=true,rrsa.manual.roleArn={role_arn},rrsa.manual.oidcProviderArn={provider}");
        let by_hand = render(&[&by_hand]).await;
        assert_eq!((label(&by_hand), role(&by_hand)), (Value::Null, Value::Null));
        let pod = one(&by_hand, "Deployment")["spec"]["template"]["spec"].clone();
        let container = &pod["containers"][0];
        let variable = |name: &str| {
            let env = container["env"].as_array().into_iter().flatten().find(|variable| variable["name"] == name).cloned();
            env.unwrap_or_default()["value"].clone()
        };
        let file = variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE");
        assert_eq!((variable("ALIBABA_CLOUD_ROLE_ARN"), variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN")), (json!(role_arn), json!(provider)));
        let named =
            |list: &Value| list.as_array().into_iter().flatten().find(|one| one["name"] == "rrsa-token").cloned().unwrap_or_default();
        let token = named(&pod["volumes"])["projected"]["sources"][0]["serviceAccountToken"].clone();
        let mount = named(&container["volumeMounts"])["mountPath"].as_str().unwrap_or_default().to_owned();
        assert_eq!(token["audience"], "sts.aliyuncs.com");
        assert_eq!(file, format!("{mount}/{}", token["path"].as_str().unwrap_or_default()), "the file is the projected one");
        let text = json!({ "apiVersion": "v1", "kind": "List", "items": by_hand }).to_string();
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        cluster.kubectl().run_with_input(&apply, &text).await.unwrap_or_else(|error| panic!("{error}"));
    });
}

/// The values that the GitOps examples give it.
#[test]
fn the_examples_of_argo_cd_and_flux_render() {
    on_plane(|cluster| async move {
        let scratch = tempfile::tempdir().expect("a directory");
        for (file, values) in
            [("deploy/argocd/application.yaml", "/spec/source/helm/valuesObject"), ("deploy/flux/helmrelease.yaml", "/spec/values")]
        {
            let text = std::fs::read_to_string(repository().join(file)).expect("the example");
            let values = documents(&text)
                .iter()
                .find_map(|object| object.pointer(values).cloned())
                .unwrap_or_else(|| panic!("{file} has no values"));
            let path = scratch.path().join("values.json");
            std::fs::write(&path, values.to_string()).expect("a file");
            let rendered = cluster.helm().run(&["template", "x", &chart(), "--values", &path.display().to_string()]).await;
            let objects = documents(&rendered.unwrap_or_else(|error| panic!("{file}: {error}")));
            let deployment =
                objects.iter().find(|object| object["kind"] == "Deployment").unwrap_or_else(|| panic!("{file}: no Deployment"));
            let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
            assert!(image.as_str().is_some_and(|image| image.starts_with("registry.example.com/")), "{file}: {image} is not published");
        }
    });
}

/// Everything of a Pod that people set is where it belongs, and the API server takes it.
#[test]
fn what_is_given_for_the_pods_is_in_them() {
    on_plane(|cluster| async move {
        let given = json!({
            "replicaCount": 3, "revisionHistoryLimit": 7, "terminationGracePeriodSeconds": 77, "logFormat": "text", "healthAddress": "[::1]",
            "commonLabels": { "team": "dba" }, "commonAnnotations": { "owner": "dba" },
            "imagePullSecrets": [{ "name": "pull" }], "podLabels": { "zone": "z" }, "podAnnotations": { "scrape": "yes" },
            "serviceAccount": { "annotations": { "pod-identity.alibabacloud.com/role-name": "rds-backup" } },
            "nodeSelector": { "disk": "ssd" }, "priorityClassName": "system-cluster-critical", "runtimeClassName": "gvisor",
            "tolerations": [{ "key": "k", "operator": "Exists" }],
            "affinity": { "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [] } },
            "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway" }],
            "extraArgs": ["--leader-elect=true"], "extraEnv": [{ "name": "RUST_LOG", "value": "debug" }],
            "extraVolumes": [{ "name": "ca", "configMap": { "name": "ca" } }], "extraVolumeMounts": [{ "name": "ca", "mountPath": "/ca" }],
            "resources": { "requests": { "cpu": "1" } }, "image": { "tag": "9.9.9", "pullPolicy": "Always" },
            "livenessProbe": { "periodSeconds": 91 }, "readinessProbe": { "failureThreshold": 92 },
            "podDisruptionBudget": { "maxUnavailable": 2 }, "metrics": { "perSchedule": "Freshness", "instanceIds": false, "service": { "port": 9090, "annotations": { "a": "b" } } },
            "networkPolicy": { "enabled": true, "ingressFrom": [{ "podSelector": {} }], "extraEgress": [{ "ports": [{ "port": 8443 }] }] },
        });
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("values.json");
        std::fs::write(&path, given.to_string()).expect("a file");
        let args = ["template", "x", &chart(), "--namespace=default", "--values", &one_account(), "--values", &path.display().to_string()];
        let objects = documents(&cluster.helm().run(&args).await.unwrap_or_else(|error| panic!("{error}")));
        let one = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}")).clone();
        let deployment = one("Deployment");
        let (template, pod) = (&deployment["spec"]["template"], &deployment["spec"]["template"]["spec"]);
        let container = &pod["containers"][0];
        let config =
            |map: &Value| -> Value { serde_saphyr::from_str(map["data"]["config.yaml"].as_str().expect("a configuration")).expect("YAML") };
        let last = |list: &Value| list.as_array().and_then(|list| list.last()).cloned().unwrap_or_default();
        for (what, found, wanted) in [
            ("replicaCount", deployment["spec"]["replicas"].clone(), given["replicaCount"].clone()),
            ("revisionHistoryLimit", deployment["spec"]["revisionHistoryLimit"].clone(), given["revisionHistoryLimit"].clone()),
            ("terminationGracePeriodSeconds", pod["terminationGracePeriodSeconds"].clone(), json!(77)),
            ("commonLabels", one("ConfigMap")["metadata"]["labels"]["team"].clone(), json!("dba")),
            ("commonAnnotations", one("Role")["metadata"]["annotations"]["owner"].clone(), json!("dba")),
            ("imagePullSecrets", pod["imagePullSecrets"].clone(), given["imagePullSecrets"].clone()),
            ("podLabels", template["metadata"]["labels"]["zone"].clone(), json!("z")),
            ("podAnnotations", template["metadata"]["annotations"]["scrape"].clone(), json!("yes")),
            (
                "serviceAccount.annotations",
                one("ServiceAccount")["metadata"]["annotations"]["pod-identity.alibabacloud.com/role-name"].clone(),
                json!("rds-backup"),
            ),
            ("nodeSelector", pod["nodeSelector"]["disk"].clone(), json!("ssd")),
            ("priorityClassName", pod["priorityClassName"].clone(), given["priorityClassName"].clone()),
            ("runtimeClassName", pod["runtimeClassName"].clone(), given["runtimeClassName"].clone()),
            ("tolerations", pod["tolerations"].clone(), given["tolerations"].clone()),
            ("affinity", pod["affinity"].clone(), given["affinity"].clone()),
            ("topologySpreadConstraints", pod["topologySpreadConstraints"].clone(), given["topologySpreadConstraints"].clone()),
            ("extraArgs", last(&container["args"]), json!("--leader-elect=true")),
            ("extraEnv", last(&container["env"]), given["extraEnv"][0].clone()),
            ("extraVolumes", last(&pod["volumes"]), given["extraVolumes"][0].clone()),
            ("extraVolumeMounts", last(&container["volumeMounts"]), given["extraVolumeMounts"][0].clone()),
            ("resources", container["resources"]["requests"]["cpu"].clone(), json!("1")),
            ("image.tag", container["image"].clone(), json!("rds-backup-operator:9.9.9")),
            ("image.pullPolicy", container["imagePullPolicy"].clone(), json!("Always")),
            ("livenessProbe", container["livenessProbe"]["periodSeconds"].clone(), json!(91)),
            ("readinessProbe", container["readinessProbe"]["failureThreshold"].clone(), json!(92)),
            ("podDisruptionBudget", one("PodDisruptionBudget")["spec"]["maxUnavailable"].clone(), json!(2)),
            ("metrics", config(&one("ConfigMap"))["metrics"].clone(), json!({ "perSchedule": "Freshness", "instanceIds": false })),
            ("metrics.service.port", one("Service")["spec"]["ports"][0]["port"].clone(), json!(9090)),
            ("metrics.service.annotations", one("Service")["metadata"]["annotations"]["a"].clone(), json!("b")),
            ("healthAddress", container["args"][3].clone(), json!("--health-addr=[::1]:8080")),
            ("networkPolicy.ingressFrom", one("NetworkPolicy")["spec"]["ingress"][0]["from"][0].clone(), json!({ "podSelector": {} })),
            ("networkPolicy.extraEgress", last(&one("NetworkPolicy")["spec"]["egress"])["ports"][0]["port"].clone(), json!(8443)),
        ] {
            assert_eq!(found, wanted, "{what}");
        }
        assert!(container["args"].as_array().is_some_and(|args| args.contains(&json!("--log-format=text"))), "{container}");
        let text = json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string();
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        cluster.kubectl().run_with_input(&apply, &text).await.unwrap_or_else(|error| panic!("{error}"));
    });
}
