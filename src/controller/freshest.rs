//! Which copy of an object is the newest that a process knows: its cache lags behind what it wrote and read itself.

use std::sync::Arc;

use super::kind::Kind;

/// Remembered resourceVersions of an object; the cache is never more than a few writes behind.
const REMEMBERED_VERSIONS: usize = 16;

/// The copies of one object that one process knows, besides its cache's.
#[derive(Clone, Debug)]
pub struct Freshest<K> {
    /// The newest copy, where it is newer than the cache's: after our own write, until the watch has brought it.
    latest: Option<Arc<K>>,
    /// Versions that are known to be older than `latest`.
    superseded: Vec<String>,
    /// A write was made whose answer was lost: only the API server knows what stands there.
    unsure: bool,
}

impl<K> Default for Freshest<K> {
    fn default() -> Self {
        Self { latest: None, superseded: Vec::new(), unsure: false }
    }
}

impl<K: Kind> Freshest<K> {
    /// Where a pass begins: at the cache's copy, unless that is known to be older than another.
    pub fn newest(&mut self, cached: Arc<K>) -> Arc<K> {
        let stale = cached.meta().resource_version.as_deref().is_some_and(|version| self.supersede(version));
        match &self.latest {
            Some(latest) if stale => latest.clone(),
            _ => {
                self.latest = None;
                self.superseded.clear();
                cached
            }
        }
    }

    /// The API server returned a newer version of the object than `from`.
    pub fn moved(&mut self, from: &K, to: Arc<K>) {
        if let Some(old) = from.meta().resource_version.clone().filter(|old| to.meta().resource_version.as_ref() != Some(old)) {
            self.superseded.push(old);
            if self.superseded.len() > REMEMBERED_VERSIONS {
                self.superseded.remove(0);
            }
        }
        self.latest = Some(to);
    }

    /// A write was made and its answer was lost.
    pub fn lose_sight(&mut self) {
        self.unsure = true;
    }

    /// The object was read from the API server.
    pub fn see_again(&mut self) {
        self.unsure = false;
    }

    /// Whether only the API server knows what stands there.
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// Whether nothing newer than the cache's copy is known.
    pub fn is_cached(&self) -> bool {
        self.latest.is_none()
    }

    /// Whether a version is known to be older than another.
    pub fn supersede(&self, version: &str) -> bool {
        self.superseded.iter().any(|old| old == version)
    }
}
