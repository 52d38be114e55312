//! Row 29: the Secret with the access key is rotated or damaged.

use serde_json::{Value, json};

use super::environment::{Environment, condition, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::proxied_operator::Setup;
use crate::rds::Key;
use crate::world::{NAMESPACE, SECRET, SERVICE_ACCOUNT};

/// What is done to the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Emptied,
    Deleted,
    Junk,
    Forbidden,
}

/// The key of the world's endpoint.
const KEY: (&str, &str) = ("sandbox-key", "sandbox-secret");

/// A text that must not appear anywhere else.
const JUNK: &str = "c4n4ry";

/// An operator with a Secret of its own, which it may read; and the Secret's name.
async fn operator(env: &mut Environment<'_>, key: (&str, &str)) -> Result<String, FaultsError> {
    let secret = env.name("key");
    let kubectl = env.kubectl();
    put(env, &secret, key).await?;
    let resource = format!("--resource-name={secret}");
    kubectl.run(&["create", "role", &secret, "-n", NAMESPACE, "--verb=get", "--resource=secrets", &resource]).await?;
    allow(env, &secret).await?;
    let changes = vec![(format!("name: {SECRET}"), format!("name: {secret}"))];
    env.start_operator_with(Setup { changes, ..Setup::default() }).await?;
    Ok(secret)
}

async fn allow(env: &Environment<'_>, secret: &str) -> Result<(), FaultsError> {
    let (role, subject) = (format!("--role={secret}"), format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}"));
    env.kubectl().run(&["create", "rolebinding", secret, "-n", NAMESPACE, &role, &subject]).await?;
    Ok(())
}

async fn put(env: &Environment<'_>, secret: &str, (id, key): (&str, &str)) -> Result<(), FaultsError> {
    write(env, secret, json!({ "accessKeyId": id, "accessKeySecret": key })).await
}

async fn write(env: &Environment<'_>, secret: &str, data: Value) -> Result<(), FaultsError> {
    let object =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret, "namespace": NAMESPACE }, "stringData": data });
    let kubectl = env.kubectl();
    // Replaced as a whole: a patch would leave other keys in place.
    kubectl.run(&["delete", "secret", secret, "-n", NAMESPACE, "--ignore-not-found"]).await?;
    kubectl.run_with_input(&["create", "--filename=-"], &object.to_string()).await?;
    Ok(())
}

/// The key is rotated while jobs run, and the old one refused: the operator reads the Secret again at the first refusal, and every 60 s.
pub(super) async fn rotated(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let both = |old: &str, new: &str| vec![Key::new(KEY.0, KEY.1), Key::new(old, "old-secret"), Key::new(new, "new-secret")];
    env.world.rds.set_keys(both("old-key", "unused-key"));
    let secret = operator(env, ("old-key", "old-secret")).await?;
    env.backups("through", 4, 3).await?;
    if !env.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    put(env, &secret, ("new-key", "new-secret")).await?;
    env.world.rds.set_keys(both("unused-key", "new-key"));
    env.outcome.faults += 1;
    env.until_ended(seconds(120)).await;
    Ok(())
}

/// The Secret is damaged while jobs run: new backups report it, and all continue when it is repaired.
pub(super) async fn broken(env: &mut Environment<'_>, damage: Damage) -> Result<(), FaultsError> {
    let secret = operator(env, KEY).await?;
    env.backups("before", 3, 2).await?;
    if !env.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let kubectl = env.kubectl();
    match damage {
        Damage::Emptied => write(env, &secret, json!({ "accessKeyId": "", "accessKeySecret": "" })).await?,
        Damage::Deleted => _ = kubectl.run(&["delete", "secret", &secret, "-n", NAMESPACE]).await?,
        Damage::Junk => {
            let junk = JUNK.repeat((900 << 10) / JUNK.len());
            write(env, &secret, json!({ "accessKeyId": junk, "accessKeySecret": "\u{0}\n" })).await?;
        }
        Damage::Forbidden => _ = kubectl.run(&["delete", "rolebinding", &secret, "-n", NAMESPACE]).await?,
    }
    env.outcome.faults += 1;
    // The operator may use the key that it read before for a minute.
    tokio::time::sleep(seconds(62)).await;
    env.backups("during", 2, 1).await?;
    let reason = match damage {
        Damage::Emptied | Damage::Junk => "InvalidCredentials",
        Damage::Deleted => "CredentialsNotFound",
        Damage::Forbidden => "AccessDenied",
    };
    let says = |objects: &[Value]| condition(of_name(objects, "during-0-0"), "Ready")["reason"] == reason;
    if env.until(reason, seconds(30), says).await {
        let objects = env.objects().await?;
        let ready = condition(of_name(&objects, "during-0-0"), "Ready").clone();
        env.note(format!("said {reason}: {}", ready["message"]));
        let shown = objects.iter().any(|object| object.to_string().contains(JUNK));
        env.expect(!shown, "a status shows the content of the Secret");
    }
    match damage {
        Damage::Forbidden => allow(env, &secret).await?,
        _ => put(env, &secret, KEY).await?,
    }
    env.until_ended(seconds(400)).await;
    let logged = env
        .operators
        .iter()
        .flat_map(|operator| &operator.logs)
        .any(|log| std::fs::read_to_string(log).is_ok_and(|log| log.contains(JUNK)));
    env.expect(!logged, "the log shows the content of the Secret");
    Ok(())
}
