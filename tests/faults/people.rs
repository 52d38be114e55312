//! The actions of users, administrators and other customers of the cloud in a world, and those of time itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    api::BACKUPS,
    world::{CANARY, State, World},
};

pub const SCHEDULES: &str = "rdsbackupschedules";

/// An event in the world that the operator does not cause.
#[derive(Clone, Debug)]
pub enum Action {
    Create {
        namespace: String,
        name: String,
        spec: Value,
    },
    Delete {
        namespace: String,
        name: String,
    },
    /// A user deletes an object that another program's finalizer keeps.
    Terminate {
        namespace: String,
        name: String,
    },
    /// All backups of team-a are deleted and restored without their statuses. With `young`, as new objects; else with the times of their
    /// creation, as a snapshot of etcd has them.
    Restore {
        young: bool,
    },
    /// A schedule of team-a.
    Schedule {
        name: String,
        spec: Value,
    },
    /// A user changes fields of a spec; null removes a field. The rules of the CRD are not applied.
    Edit {
        plural: &'static str,
        name: String,
        spec: Value,
    },
    DeleteSchedule {
        name: String,
    },
    /// A user writes these fields of a status by hand.
    Tamper {
        plural: &'static str,
        name: String,
        status: Value,
    },
    /// A user writes these fields of the status of a backup in a namespace.
    TamperIn {
        namespace: &'static str,
        name: &'static str,
        status: Value,
    },
    /// The namespace team-a is deleted, with everything in it.
    Namespace,
    /// The operator may do something in a namespace, or nothing. Its watches break, or go on until they end by themselves: the API server
    /// judges a watch when it begins.
    Rights {
        namespace: &'static str,
        granted: bool,
        watches_break: bool,
    },
    /// The operator may not list the RdsBackups of the whole cluster.
    NoSightOfTheCluster,
    /// A namespace is deleted: first the rights in it, then, after the operator's watches broke, its objects, and then it is gone.
    NamespaceGone(&'static str),
    /// A user creates a schedule in a namespace.
    ScheduleIn {
        namespace: &'static str,
        name: String,
        spec: Value,
    },
    /// A user fills a backup with labels, until the store takes no more.
    Fill {
        name: &'static str,
    },
    /// A user writes an annotation.
    Touch {
        namespace: String,
        name: String,
    },
    /// A job of another client begins.
    Foreign {
        instance: String,
        automated: bool,
        lasts: Duration,
    },
    /// The newest job of the instance is deleted in the cloud, or its set.
    Vanish {
        instance: String,
    },
    /// The access key from now on.
    Secret(Key),
    /// The Secret `key-x`, with an access key that begins with x.
    KeyOf(&'static str),
    /// The API server drops its history, and every watch breaks.
    Compact,
    /// The operators are stopped by a signal, and new ones are started.
    Stop,
    /// The process is killed.
    Kill,
    /// From now on lists and watches show the state of so long ago.
    Lag(Duration),
    /// The clocks of the operator's nodes are set.
    Leap(SignedDuration),
    /// The endpoint takes every call of a key and never answers.
    Hang {
        key: &'static str,
    },
    /// The cloud accepts so many calls of a key in a second; None: any number.
    Limit {
        key: &'static str,
        per_second: Option<usize>,
    },
}

/// The content of the Secret with the access key, and whether the cloud accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Right,
    /// Another key, and the cloud accepts the old one no more.
    Rotated,
    Gone,
    Emptied,
    /// A key that the cloud does not know.
    Wrong,
    /// 1 MiB of bytes that are not text.
    Junk,
    /// No Secret at all, by its fields.
    WrongKind,
    /// The operator may not read it.
    Forbidden,
}

pub fn act(world: &World, action: Action) {
    world.with(|state, now| {
        state.note(now, format!("{action:?}"));
        do_it(state, now, action);
    });
    world.changed.notify_waiters();
    if world.with(|state, _| state.dead) {
        world.died.notify_one();
    }
}

fn do_it(state: &mut State, now: Timestamp, action: Action) {
    match action {
        Action::Create { namespace, name, spec } => {
            state.api.create(BACKUPS, &namespace, &name, json!({ "spec": with_defaults(spec) }), now);
        }
        Action::Delete { namespace, name } => state.delete(BACKUPS, &namespace, &name, now),
        Action::Terminate { namespace, name } => state.api.terminate(&namespace, &name, now),
        Action::Restore { young } => {
            for uid in state.api.restore(young, now) {
                state.note(now, format!("deleted {uid}"));
            }
        }
        Action::Schedule { name, spec } => {
            let template = spec["template"]["spec"].clone();
            let mut spec = spec;
            spec["template"]["spec"] = with_defaults(template);
            state.api.create(SCHEDULES, "team-a", &name, json!({ "spec": spec }), now);
        }
        Action::ScheduleIn { namespace, name, spec } => {
            let template = spec["template"]["spec"].clone();
            let mut spec = spec;
            spec["template"]["spec"] = with_defaults(template);
            state.api.create(SCHEDULES, namespace, &name, json!({ "spec": spec }), now);
        }
        Action::Rights { namespace, granted, watches_break } => {
            if granted {
                state.api.forbidden.remove(namespace);
            } else {
                state.api.forbidden.insert(namespace.to_owned());
                state.watches_cut += u64::from(watches_break);
            }
        }
        Action::Fill { name } => {
            state.api.too_large.insert(name.to_owned());
        }
        Action::NoSightOfTheCluster => state.api.claims_refused = true,
        Action::NamespaceGone(namespace) => {
            state.api.forbidden.insert(namespace.to_owned());
            state.watches_cut += 1;
            for (plural, name) in state.api.close(namespace) {
                state.delete(&plural, namespace, &name, now);
            }
            state.api.gone.insert(namespace.to_owned());
        }
        Action::Edit { plural, name, spec } => state.api.edit(plural, "team-a", &name, &spec, now),
        Action::DeleteSchedule { name } => state.delete(SCHEDULES, "team-a", &name, now),
        Action::Tamper { plural, name, status } => state.api.tamper(plural, "team-a", &name, &status, now),
        Action::TamperIn { namespace, name, status } => state.api.tamper(BACKUPS, namespace, name, &status, now),
        Action::Namespace => {
            for (plural, name) in state.api.close("team-a") {
                state.delete(&plural, "team-a", &name, now);
            }
        }
        Action::Touch { namespace, name } => {
            state.api.touch(&namespace, &name, now);
        }
        Action::Foreign { instance, automated, lasts } => {
            let busy = state.cloud.jobs.iter().any(|job| job.instance == instance && job.ended_at > now);
            if !busy {
                let method = if state.cloud.instances[&instance] == "cloud_essd" { "Snapshot" } else { "Physical" };
                state.cloud.begin(&instance, method, None, automated, Some(lasts), now);
            }
        }
        Action::Vanish { instance } => state.cloud.vanish(&instance, now),
        Action::Secret(key) => secret(state, key, now),
        Action::KeyOf(name) => add_secret(state, &format!("key-{name}"), data_of(&format!("{name}-{CANARY}")), now),
        Action::Compact => {
            state.api.compact();
            state.watches_cut += 1;
            state.fault_plan.note("history compacted", now);
        }
        Action::Stop => {
            state.fault_plan.note("signal to stop", now);
            state.stops.iter().for_each(CancellationToken::cancel);
        }
        Action::Kill => state.dead = true,
        Action::Lag(by) => {
            state.pace.watch_lag = by;
            state.api.list_lag = by;
        }
        Action::Leap(by) => {
            state.leap += by;
            state.fault_plan.note("clock set", now);
        }
        Action::Hang { key } => {
            state.hung.insert(key);
        }
        Action::Limit { key, per_second } => state.cloud.limit(key, per_second),
    }
}

fn secret(state: &mut State, key: Key, now: Timestamp) {
    state.delete("secrets", "rds-system", "rds-key", now);
    state.api.secrets_forbidden = key == Key::Forbidden;
    let id = |number: u8| format!("id{number}-{CANARY}");
    if key == Key::Rotated {
        state.cloud.key = Some(id(2));
    } else if key == Key::Right {
        state.cloud.key = Some(id(1));
    }
    let data = match key {
        Key::Gone => return,
        Key::Right | Key::Forbidden => data_of(&id(1)),
        Key::Rotated => data_of(&id(2)),
        Key::Wrong => data_of(&id(3)),
        Key::Emptied => json!({}),
        Key::Junk => json!({ "accessKeyId": base64(&vec![0xff; 512 * 1024]), "accessKeySecret": base64(&vec![0xfe; 512 * 1024]) }),
        Key::WrongKind => json!({ "tls.crt": base64(b"certificate"), "tls.key": base64(CANARY.as_bytes()) }),
    };
    add_secret(state, "rds-key", data, now);
}

fn data_of(id: &str) -> Value {
    let text = |text: &str| base64(text.as_bytes());
    json!({
        "accessKeyId": text(id),
        "accessKeySecret": text(&format!("secret-{CANARY}")),
        "securityToken": text(&format!("token-{CANARY}")),
    })
}

/// A Secret of the operator's namespace.
fn add_secret(state: &mut State, name: &str, data: Value, now: Timestamp) {
    state.api.create("secrets", "rds-system", name, json!({ "apiVersion": "v1", "kind": "Secret", "data": data }), now);
}

/// The spec with the defaults of the CRD.
fn with_defaults(mut spec: Value) -> Value {
    if spec["account"].is_null() {
        spec["account"] = json!("default");
    }
    spec
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]);
            out.push(if place > chunk.len() { '=' } else { letter });
        }
    }
    out
}
