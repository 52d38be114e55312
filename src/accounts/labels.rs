//! The labels of the namespaces, as they were read last: what allow-lists with a `namespaceSelector` are checked against at every use.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::Instant;

/// Labels by their keys.
pub type Labels = BTreeMap<String, String>;

/// How old labels may be: after this time without an answer of the API server they are not known any more.
const LONGEST_USE: Duration = Duration::from_secs(60);

/// What is known of the labels of the namespaces. Its clones are one.
#[derive(Clone, Default)]
pub struct NamespaceLabels(Arc<RwLock<HashMap<String, Known>>>);

struct Known {
    labels: Result<Arc<Labels>, String>,
    at: Instant,
}

impl NamespaceLabels {
    /// They were read at this time, or cannot be, and why.
    pub fn note(&self, namespace: &str, found: Result<(Arc<Labels>, Instant), String>) {
        let known = match found {
            Ok((labels, at)) => Known { labels: Ok(labels), at },
            Err(why) => Known { labels: Err(why), at: Instant::now() },
        };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned(), known);
    }

    /// The labels; why they are not known otherwise.
    pub(super) fn of(&self, namespace: &str) -> Result<Arc<Labels>, String> {
        match self.0.read().unwrap_or_else(PoisonError::into_inner).get(namespace) {
            Some(Known { labels: Ok(labels), at }) if at.elapsed() < LONGEST_USE => Ok(labels.clone()),
            Some(Known { labels: Err(why), .. }) => Err(why.clone()),
            Some(_) => Err(format!("they were read more than {} s ago", LONGEST_USE.as_secs())),
            None => Err("they have not been read yet".to_owned()),
        }
    }

    /// Forgets the namespaces that `keep` does not name.
    pub(super) fn sweep(&self, keep: impl Fn(&str) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|namespace, _| keep(namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn labels_are_known_for_a_minute_after_they_were_read() {
        let labels = NamespaceLabels::default();
        assert!(labels.of("a").unwrap_err().contains("not been read"));
        labels.note("a", Ok((Arc::new(Labels::new()), Instant::now())));
        tokio::time::advance(LONGEST_USE - Duration::from_millis(1)).await;
        assert!(labels.of("a").is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(labels.of("a").unwrap_err().contains("60 s ago"));
        labels.note("a", Err("refused".to_owned()));
        assert_eq!(labels.of("a"), Err("refused".to_owned()));
        labels.sweep(|namespace| namespace != "a");
        assert!(labels.of("a").unwrap_err().contains("not been read"));
    }
}
