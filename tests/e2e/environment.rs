//! The world that a suite starts, and one look at an object.

use std::time::Duration;

use rds_backup_sandbox::{rds::Settings, world::WorldOptions};
use serde_json::Value;

use crate::setup::{plane_options, repository};

/// The endpoint's figures, which the operator's configuration repeats: requests expire after 5 s, sets are listed 3 s after their job's
/// end.
pub const EXPIRY: Duration = Duration::from_secs(5);
pub const LAG: Duration = Duration::from_secs(3);

/// A world with the operator under test. A job takes 2 s.
pub fn world_options() -> WorldOptions {
    WorldOptions {
        settings: Settings { expiry: EXPIRY, lag: LAG, job_time: Duration::from_secs(2), ..Settings::sandbox() },
        extra_apiserver_flags: plane_options().extra_apiserver_flags,
        ..WorldOptions::new(env!("CARGO_BIN_EXE_rds-backup-operator"), repository())
    }
}

/// One condition of an object; null if it is not there.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}
