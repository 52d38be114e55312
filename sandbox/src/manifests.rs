//! `cargo sandbox manifests`: `deploy/install`, rendered from the chart, so that kustomize installs the same objects as Helm; and the alert
//! rules of `deploy/monitoring`, so that a Prometheus without its operator has the same ones, beside copies of the dashboards.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::plane::{BinariesError, Helms, Progress, Tool, ToolError};

/// Render deploy/install and the rules of deploy/monitoring from the chart, and copy its dashboards. The first time, Helm is built from its
/// Go modules, which takes about 3 minutes on 2 cores.
#[derive(Debug, Args)]
pub struct ManifestsArgs {
    /// The repository.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestsError {
    /// There is no Helm.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// Helm refuses the chart.
    #[error(transparent)]
    Helm(#[from] ToolError),
    /// A file could not be written.
    #[error("{} could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Helm's home.
    #[error("a temporary directory")]
    Temporary(#[source] io::Error),
    /// The chart has a template whose objects have no file.
    #[error("{0}: say in sandbox/src/manifests.rs which file of deploy/install its objects go to")]
    Unknown(String),
}

/// Where the manifests are.
const HOME: &str = "deploy/install";

/// Which file a template's objects go to.
const FILES: [(&str, &str); 8] = [
    ("crds", "crds.yaml"),
    ("serviceaccount", "rbac.yaml"),
    ("rbac", "rbac.yaml"),
    ("aggregated-roles", "rbac.yaml"),
    ("configmap", "operator.yaml"),
    ("deployment", "operator.yaml"),
    ("pdb", "operator.yaml"),
    ("service", "operator.yaml"),
];

/// The alert rules.
pub const ALERTS: &str = "deploy/monitoring/alerts.yaml";

/// The dashboards, and where their copies for people without the chart are.
const DASHBOARDS: [&str; 2] = ["fleet.json", "operator.json"];
const CHARTS_DASHBOARDS: &str = "charts/rds-backup-operator/files/dashboards";
const COPIED_DASHBOARDS: &str = "deploy/monitoring/dashboards";

/// Labels that say that Helm manages an object, which it does not here.
const HELMS_OWN: [&str; 2] = ["app.kubernetes.io/managed-by: ", "helm.sh/chart: "];

/// Writes them.
pub async fn run(args: ManifestsArgs) -> Result<(), ManifestsError> {
    let progress: Progress = Box::new(|line| eprintln!("{line}"));
    let helms = Helms::find(&progress).await?;
    let manifests = render(&helms.v4, &args.repository).await?.into_iter().map(|(file, text)| (Path::new(HOME).join(file), text));
    let alerts = (PathBuf::from(ALERTS), alerts(&helms.v4, &args.repository).await?);
    for (file, text) in manifests.chain([alerts]) {
        let path = args.repository.join(file);
        fs::write(&path, text).map_err(|source| ManifestsError::Write { path: path.clone(), source })?;
        eprintln!("{}", path.display());
    }
    for [from, to] in dashboards(&args.repository) {
        fs::copy(from, &to).map_err(|source| ManifestsError::Write { path: to.clone(), source })?;
        eprintln!("{}", to.display());
    }
    Ok(())
}

/// Each dashboard of the chart, and the file that is a copy of it.
pub fn dashboards(repository: &Path) -> [[PathBuf; 2]; 2] {
    DASHBOARDS.map(|file| [CHARTS_DASHBOARDS, COPIED_DASHBOARDS].map(|folder| repository.join(folder).join(file)))
}

/// The files, by name.
pub async fn render(helm: &Path, repository: &Path) -> Result<BTreeMap<&'static str, String>, ManifestsError> {
    sorted(&template(helm, repository, &[]).await?)
}

/// The rules file: the `spec` of the PrometheusRule that the chart renders.
pub async fn alerts(helm: &Path, repository: &Path) -> Result<String, ManifestsError> {
    let args = [
        "--show-only=templates/prometheusrule.yaml",
        "--set=metrics.prometheusRule.enabled=true",
        "--set=metrics.prometheusRule.renderMode=alwaysRender",
    ];
    let rendered = template(helm, repository, &args).await?;
    let (_, spec) = rendered.split_once("\nspec:\n").ok_or_else(|| ManifestsError::Unknown("templates/prometheusrule.yaml".to_owned()))?;
    let mut text = "# Rendered from the chart's files/alerts.yaml by `cargo sandbox manifests`. Do not edit.\n".to_owned();
    for line in spec.trim_end().lines() {
        text.push_str(line.strip_prefix("  ").unwrap_or(line));
        text.push('\n');
    }
    Ok(text)
}

async fn template(helm: &Path, repository: &Path, more: &[&str]) -> Result<String, ManifestsError> {
    let home = tempfile::tempdir().map_err(ManifestsError::Temporary)?;
    let helm = Tool::without_plane("helm", helm, home.path());
    let (chart, values) = (repository.join("charts/rds-backup-operator"), repository.join(HOME).join("values.yaml"));
    let (chart, values) = (chart.display().to_string(), values.display().to_string());
    let args = ["template", "rds-backup-operator", &chart, "--namespace=rds-backup-system", "--values", &values];
    Ok(helm.run(&[&args, more].concat()).await?)
}

/// Sorts Helm's output by the template that it names above each object.
fn sorted(rendered: &str) -> Result<BTreeMap<&'static str, String>, ManifestsError> {
    let mut files = BTreeMap::new();
    for object in rendered.split("---\n").filter(|object| !object.trim().is_empty()) {
        let (source, object) = object.split_once('\n').unwrap_or((object, ""));
        let template = source.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml");
        let file = FILES.iter().find(|(name, _)| *name == template).map(|(_, file)| *file);
        let file = file.ok_or_else(|| ManifestsError::Unknown(source.to_owned()))?;
        let text = files.entry(file).or_insert_with(|| "# Rendered from the chart by `cargo sandbox manifests`. Do not edit.\n".to_owned());
        text.push_str("---\n");
        let ours = |line: &&str| !HELMS_OWN.iter().any(|own| line.trim_start().starts_with(own));
        for line in object.trim_end().lines().filter(ours) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_go_to_the_file_of_their_template_without_what_is_helms_own() {
        let rendered = "---\n# Source: x/templates/rbac.yaml\nkind: Role\nlabels:\n  helm.sh/chart: x-1\n  app: x\n\n---\n# Source: x/templates/service.yaml\nkind: Service\n";
        let files = sorted(rendered).expect("both are known");
        assert!(files["rbac.yaml"].ends_with("---\nkind: Role\nlabels:\n  app: x\n"), "{files:?}");
        assert!(files["operator.yaml"].ends_with("---\nkind: Service\n"), "{files:?}");
        let unknown = sorted("---\n# Source: x/templates/new.yaml\nkind: Secret\n").expect_err("it has no file");
        assert!(unknown.to_string().contains("templates/new.yaml"), "{unknown}");
    }
}
