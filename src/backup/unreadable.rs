//! What may hold an instance and cannot be read: a namespace, or an object that does not deserialise. In doubt nothing is sent.

use jiff::SignedDuration;

use super::observation::Blocker;
use crate::{
    api::Reason,
    controller::{Closed, Unreadable},
};

/// A namespace that is being deleted is gone within seconds, unless a finalizer in it holds it up.
const TERMINATING_RECHECK: SignedDuration = SignedDuration::from_secs(10);

/// What keeps the instance from being used while the objects of a namespace cannot be read; none for a namespace that is gone.
pub fn namespace(name: &str, closed: Closed) -> Option<Blocker> {
    let (message, again_in) = match closed {
        Closed::Gone => return None,
        Closed::Terminating => (
            format!(
                "namespace {name} is being deleted and may use this instance, and its RdsBackups can no longer be read. The operator goes on when the namespace is gone"
            ),
            Some(TERMINATING_RECHECK),
        ),
        Closed::Refused => (
            format!(
                "namespace {name} may use this instance by the account's allow-list, and the operator may not read the RdsBackups there, so one of them may have a request under way. Ask an administrator to grant the operator's ServiceAccount its rights in {name} again, or to take {name} out of the operator's namespaces or out of the allow-list"
            ),
            None,
        ),
    };
    Some(Blocker { reason: Reason::ClaimsUnreadable, message, again_in })
}

/// What keeps the instance from being used while another object of it cannot be read. It is named only to its own namespace.
pub fn object(other: &Unreadable, own_namespace: &str) -> Blocker {
    let which = match (&other.metadata.name, &other.metadata.namespace) {
        (Some(name), Some(namespace)) if namespace == own_namespace => format!("the RdsBackup {name} of this instance"),
        _ => "an RdsBackup of this instance in another namespace".to_owned(),
    };
    let message = format!(
        "{which} cannot be read, so it may have a request under way: a CRD of another version may be installed, or its status was edited. Correct or delete it; the operator's log names it"
    );
    Blocker { reason: Reason::ClaimsUnreadable, message, again_in: None }
}

/// The object's namespace and name.
pub fn name(object: &Unreadable) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("RdsBackup {}/{}", part(&object.metadata.namespace), part(&object.metadata.name))
}
