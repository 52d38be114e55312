//! The log's lines about objects that do not deserialise.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kube::Resource;
use tracing::error;

use crate::controller::Unreadable;

/// So many objects are remembered; with more of them, some are logged again.
const MOST: usize = 1_000;

/// What was logged: by uid, why the object cannot be read. Each start of a watch, and whoever waits for the object's instance, brings it up
/// again: without this memory the log would be full of it.
#[derive(Debug, Default)]
pub(super) struct Unreadables(Mutex<HashMap<String, String>>);

impl Unreadables {
    /// Logs an object, once for each reason that it has.
    pub(super) fn log<K: Resource<DynamicType = ()>>(&self, object: &Unreadable) {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        if !self.is_news(&text(&object.metadata.uid), &object.error) {
            return;
        }
        error!(
            kind = %K::kind(&()),
            namespace = text(&object.metadata.namespace),
            name = text(&object.metadata.name),
            uid = text(&object.metadata.uid),
            error = %object.error,
            "this object cannot be read, so the operator leaves it as it is, and sends nothing for its instance unless it has ended: a CRD of another version may be installed, or its status was edited. Correct or delete it"
        );
    }

    fn is_news(&self, uid: &str, error: &str) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.get(uid).is_some_and(|known| known == error) {
            return false;
        }
        if logged.len() >= MOST {
            logged.clear();
        }
        logged.insert(uid.to_owned(), error.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_logged_once_for_each_reason_that_it_has() {
        let unreadables = Unreadables::default();
        let news =
            [("a", "x"), ("a", "x"), ("b", "x"), ("a", "y"), ("a", "y"), ("b", "x")].map(|(uid, error)| unreadables.is_news(uid, error));
        assert_eq!(news, [true, false, true, true, false, false]);
        for number in 0..2 * MOST {
            assert!(unreadables.is_news(&format!("u{number}"), "x"));
            assert!(unreadables.0.lock().unwrap().len() <= MOST);
        }
    }
}
