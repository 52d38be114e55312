//! Row 29: what can befall the Secret with the access key.

use serde_json::{Value, json};

use super::ground::{Ground, condition, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::faults::stand::Setup;
use crate::rds::Key;
use crate::world::{NAMESPACE, SECRET, SERVICE_ACCOUNT};

/// What is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Emptied,
    Deleted,
    Junk,
    Forbidden,
}

/// The key of the world's endpoint.
const KEY: (&str, &str) = ("sandbox-key", "sandbox-secret");

/// Would be seen if it were shown.
const JUNK: &str = "c4n4ry";

/// An operator with a Secret of its own, which it may read; and the Secret's name.
async fn operator(ground: &mut Ground<'_>, key: (&str, &str)) -> Result<String, FaultsError> {
    let secret = ground.name("key");
    let kubectl = ground.kubectl();
    put(ground, &secret, key).await?;
    let resource = format!("--resource-name={secret}");
    kubectl.run(&["create", "role", &secret, "-n", NAMESPACE, "--verb=get", "--resource=secrets", &resource]).await?;
    allow(ground, &secret).await?;
    let changes = vec![(format!("name: {SECRET}"), format!("name: {secret}"))];
    ground.operator_with(Setup { changes, ..Setup::default() }).await?;
    Ok(secret)
}

async fn allow(ground: &Ground<'_>, secret: &str) -> Result<(), FaultsError> {
    let (role, subject) = (format!("--role={secret}"), format!("--serviceaccount={NAMESPACE}:{SERVICE_ACCOUNT}"));
    ground.kubectl().run(&["create", "rolebinding", secret, "-n", NAMESPACE, &role, &subject]).await?;
    Ok(())
}

async fn put(ground: &Ground<'_>, secret: &str, (id, key): (&str, &str)) -> Result<(), FaultsError> {
    write(ground, secret, json!({ "accessKeyId": id, "accessKeySecret": key })).await
}

async fn write(ground: &Ground<'_>, secret: &str, data: Value) -> Result<(), FaultsError> {
    let object =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": secret, "namespace": NAMESPACE }, "stringData": data });
    let kubectl = ground.kubectl();
    // Replaced as a whole: what a patch leaves standing would be no damage.
    kubectl.run(&["delete", "secret", secret, "-n", NAMESPACE, "--ignore-not-found"]).await?;
    kubectl.run_with_input(&["create", "--filename=-"], &object.to_string()).await?;
    Ok(())
}

/// A new key is in use, and the old one refused, while jobs run: what is used is at most 60 s old, and renewed at the first refusal.
pub(super) async fn rotated(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let both = |old: &str, new: &str| vec![Key::new(KEY.0, KEY.1), Key::new(old, "old-secret"), Key::new(new, "new-secret")];
    ground.world.rds.set_keys(both("old-key", "unused-key"));
    let secret = operator(ground, ("old-key", "old-secret")).await?;
    ground.backups("through", 4, 3).await?;
    if !ground.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    put(ground, &secret, ("new-key", "new-secret")).await?;
    ground.world.rds.set_keys(both("unused-key", "new-key"));
    ground.ran.struck += 1;
    ground.until_ended(seconds(120)).await;
    Ok(())
}

/// It is damaged while jobs run; what is asked for then says so; and all goes on when it is mended.
pub(super) async fn broken(ground: &mut Ground<'_>, damage: Damage) -> Result<(), FaultsError> {
    let secret = operator(ground, KEY).await?;
    ground.backups("before", 3, 2).await?;
    if !ground.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let kubectl = ground.kubectl();
    match damage {
        Damage::Emptied => write(ground, &secret, json!({ "accessKeyId": "", "accessKeySecret": "" })).await?,
        Damage::Deleted => _ = kubectl.run(&["delete", "secret", &secret, "-n", NAMESPACE]).await?,
        Damage::Junk => {
            let junk = JUNK.repeat((900 << 10) / JUNK.len());
            write(ground, &secret, json!({ "accessKeyId": junk, "accessKeySecret": "\u{0}\n" })).await?;
        }
        Damage::Forbidden => _ = kubectl.run(&["delete", "rolebinding", &secret, "-n", NAMESPACE]).await?,
    }
    ground.ran.struck += 1;
    // What was read before may be used for a minute.
    tokio::time::sleep(seconds(62)).await;
    ground.backups("during", 2, 1).await?;
    let reason = match damage {
        Damage::Emptied | Damage::Junk => "InvalidCredentials",
        Damage::Deleted => "CredentialsNotFound",
        Damage::Forbidden => "AccessDenied",
    };
    let says = |objects: &[Value]| condition(of_name(objects, "during-0-0"), "Ready")["reason"] == reason;
    if ground.until(reason, seconds(30), says).await {
        let objects = ground.objects().await?;
        let ready = condition(of_name(&objects, "during-0-0"), "Ready").clone();
        ground.note(format!("said {reason}: {}", ready["message"]));
        let shown = objects.iter().any(|object| object.to_string().contains(JUNK));
        ground.expect(!shown, "what is in the Secret is shown in a status");
    }
    match damage {
        Damage::Forbidden => allow(ground, &secret).await?,
        _ => put(ground, &secret, KEY).await?,
    }
    ground.until_ended(seconds(400)).await;
    let logged =
        ground.stands.iter().flat_map(|stand| &stand.logs).any(|log| std::fs::read_to_string(log).is_ok_and(|log| log.contains(JUNK)));
    ground.expect(!logged, "what is in the Secret is in the log");
    Ok(())
}
