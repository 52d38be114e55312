//! What a person should know before the call is made.

use jiff::Timestamp;

use super::{
    choose::UsableSet,
    clone::{Network, Target, second},
};
use crate::api::{BackupMethod, Span};

/// What keeps a call from making a second clone. Terraform has its state for that.
pub const ONE_CLONE: &str = "The same call again is the same clone, by its ClientToken; --name NAME makes another one.";

/// One sentence or two for each thing. `to_time` is the moment that was asked for.
pub fn notes(set: &UsableSet, target: &Target, to_time: Option<Timestamp>, now: Timestamp) -> Vec<String> {
    let mut notes = vec![which(set, to_time, now)];
    notes.extend(set.doubts.iter().map(|doubt| format!("Mind: {doubt}.")));
    notes.push(format!(
        "Nothing was created. The call creates a second instance, of the class and storage of {}, pay-as-you-go: it costs money until it is deleted.",
        set.instance
    ));
    notes.push(
        "The clone has the source's IP allow-list, parameters, alert and backup settings, and the accounts and passwords of the backup: \
         whoever could log in to the source can log in to the clone."
            .to_owned(),
    );
    notes.push(format!("{} must be Running, with no migration under way. Its edition and class are inherited.", set.instance));
    notes.push(match &target.network {
        Network::OfTheSource => {
            "The clone shares the source's network (--same-network): what connects to it by mistake writes into it.".to_owned()
        }
        _ => "The vSwitch must lie in the VPC, and in the source's zone or in that of --zone-id.".to_owned(),
    });
    notes.push(match target.deletion_protection {
        true => "The clone cannot be deleted until its DeletionProtection is switched off.".to_owned(),
        false => {
            "DeletionProtection is off, the service's default: right for a drill. To keep the clone, give --deletion-protection.".to_owned()
        }
    });
    if set.engine.as_deref() == Some("MySQL") && set.method.as_deref() == Some(BackupMethod::Snapshot.as_str()) {
        notes.push(
            "MySQL on cloud disks: when such an instance is deleted the service keeps its newest set (ReleasedKeepPolicy), and bills it after 7 \
             days. Delete a drill before its first automatic backup, then look at DescribeDetachedBackups."
                .to_owned(),
        );
    }
    if !set.databases.is_empty() {
        notes.push(format!("The set holds single databases: {}. DbNames names them.", set.databases.join(", ")));
    }
    notes
}

fn which(set: &UsableSet, to_time: Option<Timestamp>, now: Timestamp) -> String {
    let Some(as_of) = set.data_as_of else {
        return format!("Set {} of backup {}/{}; when its data is of is not recorded.", set.backup_id, set.namespace, set.name);
    };
    let size = set.size.as_ref().map(|size| format!(", {size}")).unwrap_or_default();
    let age = Span::for_people(now.duration_since(as_of));
    let chosen = to_time.map(|to_time| {
        let before = Span::for_people(to_time.duration_since(as_of));
        format!(" It is the newest usable one in this namespace before {}, by {before}.", second(to_time))
    });
    format!(
        "Set {} of backup {}/{}{size}: data as of {}, {age} ago.{}",
        set.backup_id,
        set.namespace,
        set.name,
        second(as_of),
        chosen.unwrap_or_default()
    )
}
