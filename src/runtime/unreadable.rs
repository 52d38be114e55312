//! The log's lines about objects that do not deserialise.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kube::{Resource, runtime::controller::Action};
use tracing::error;

use crate::controller::Unreadable;

/// So many objects are remembered; with more of them, some are logged again.
const MOST: usize = 1_000;

/// What was logged: by uid, which version of the object. Each start of a watch brings it up again, unchanged: without this memory the log would
/// be full of it.
#[derive(Debug, Default)]
pub(super) struct Unreadables(Mutex<HashMap<String, String>>);

impl Unreadables {
    /// Leaves an object as it is: it holds up no other. Logs it, once for each version of it.
    pub(super) fn leave<K: Resource<DynamicType = ()>>(&self, object: &Unreadable) -> Action {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        if !self.is_news(&text(&object.metadata.uid), &text(&object.metadata.resource_version)) {
            return Action::await_change();
        }
        error!(
            kind = %K::kind(&()),
            namespace = text(&object.metadata.namespace),
            name = text(&object.metadata.name),
            uid = text(&object.metadata.uid),
            error = %object.error,
            "this object cannot be read, so the operator leaves it as it is, and sends nothing for its instance unless it has ended: a CRD of another version may be installed, or its status was edited. Correct or delete it"
        );
        Action::await_change()
    }

    fn is_news(&self, uid: &str, version: &str) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.get(uid).is_some_and(|known| known == version) {
            return false;
        }
        if logged.len() >= MOST {
            logged.clear();
        }
        logged.insert(uid.to_owned(), version.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_logged_once_for_each_version_of_it() {
        let unreadables = Unreadables::default();
        let seen = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("a", "2"), ("b", "1")];
        assert_eq!(seen.map(|(uid, version)| unreadables.is_news(uid, version)), [true, false, true, true, false, false]);
        for number in 0..2 * MOST {
            assert!(unreadables.is_news(&format!("u{number}"), "1"));
            assert!(unreadables.0.lock().unwrap().len() <= MOST);
        }
    }
}
