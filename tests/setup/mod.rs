//! What the end-to-end tests and the tests of installation start from, compiled into both: the runtime, the setting of the API server's
//! version, the repository and the Helms.

use std::{path::Path, sync::LazyLock};

use rds_backup_sandbox::plane::{Helms, PlaneOptions};
use tokio::runtime::Runtime;

/// Processes and sockets belong to the runtime that made them, and a control plane outlives the test that started it.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A setting of the tests: `E2E_SCOPE` or `E2E_EMULATED_VERSION`.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests chooses")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A control plane. With `E2E_EMULATED_VERSION=1.33` the API server behaves as that version's, and says so to Helm.
pub fn plane_options() -> PlaneOptions {
    let version = setting("E2E_EMULATED_VERSION").map(|version| format!("--emulated-version=kube={version}"));
    PlaneOptions { extra_apiserver_flags: version.into_iter().collect(), ..PlaneOptions::default() }
}

/// Both Helms. The first use on a machine builds them.
pub async fn helms() -> Helms {
    Helms::find(&(Box::new(|line: &str| eprintln!("{line}")) as _)).await.unwrap_or_else(|error| panic!("{error}"))
}
