use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A failed watch is tried again within 10 s, so a trouble that was not reported for this long is over.
const TROUBLE_LASTS: Duration = Duration::from_secs(25);

const NOT_LISTED: &str = "the RdsBackups have not been listed yet";

/// Whether the operator can do its work, and if not, the reason.
///
/// It is ready when it leads or stands by, and its lists are complete. The trouble of one account or of one namespace among several never
/// makes a pod unready: the objects that it concerns say so, and so does `/readyz?verbose`.
#[derive(Default)]
pub(super) struct Readiness(Mutex<State>);

/// A watch: the plural of its kind, and its namespace, or none for all of them.
pub(super) type WatchOf = (String, Option<String>);

#[derive(Default)]
struct State {
    /// All watches; none before they are set up.
    watches: BTreeSet<WatchOf>,
    /// Those that have listed their objects once.
    listed: BTreeSet<WatchOf>,
    /// Another replica leads; this one lists nothing.
    stands_by: bool,
    /// What concerns everything: the API server, a CRD, the lease.
    trouble: Option<Report>,
    /// What concerns one namespace.
    namespaces: BTreeMap<String, Report>,
    /// The cure for an account whose access key has been missing since the start.
    credentials: Option<String>,
}

struct Report {
    at: Instant,
    cure: String,
}

impl Readiness {
    /// These watches are set up, and none of them has listed its objects.
    pub fn awaits(&self, watches: impl IntoIterator<Item = WatchOf>) {
        self.locked().watches.extend(watches);
    }

    /// A watch has listed its objects.
    pub fn listed(&self, watch: &WatchOf) {
        let mut state = self.locked();
        state.listed.insert(watch.clone());
        state.trouble = None;
        if let (_, Some(namespace)) = watch {
            state.namespaces.remove(namespace);
        }
    }

    /// Another replica leads. A standby is ready: standing by is its work.
    pub fn stands_by(&self) {
        self.locked().stands_by = true;
    }

    /// This replica leads from now on.
    pub fn leads(&self) {
        self.locked().stands_by = false;
    }

    /// The cure for a missing access key, or none once each account's key has been read. A key that disappears later does not change
    /// readiness: the status of the objects reports it, and the other accounts still work.
    pub fn lacks_credentials(&self, cure: Option<String>) {
        self.locked().credentials = cure;
    }

    /// A watch failed, or the lease cannot be reached; `namespace` is the one that it concerns, where it concerns one. True if this trouble
    /// was not reported within the last 25 s, so that it is logged once.
    pub fn troubled(&self, namespace: Option<&str>, cure: String) -> bool {
        let mut state = self.locked();
        let report = Report { at: Instant::now(), cure };
        let news = |before: Option<&Report>| before.is_none_or(|before| before.cure != report.cure || !before.lasts());
        match namespace {
            None => {
                let is_news = news(state.trouble.as_ref());
                state.trouble = Some(report);
                is_news
            }
            Some(namespace) => {
                let is_news = news(state.namespaces.get(namespace));
                state.namespaces.insert(namespace.to_owned(), report);
                is_news
            }
        }
    }

    /// None if the operator is ready, else the reason why it is not.
    pub fn blocker(&self) -> Option<String> {
        let state = self.locked();
        match &state.trouble {
            Some(report) if report.lasts() => return Some(report.cure.clone()),
            _ if state.stands_by => return state.credentials.clone(),
            _ => {}
        }
        if state.watches.is_empty() {
            return Some(state.trouble.as_ref().map_or(NOT_LISTED, |report| &report.cure).to_owned());
        }
        let (mut readable, mut refused) = (false, None);
        for watch in &state.watches {
            let report = watch.1.as_ref().and_then(|namespace| state.namespaces.get(namespace));
            match (state.listed.contains(watch), report) {
                (listed, Some(report)) if !listed || report.lasts() => refused = refused.or(Some(report)),
                (true, _) => readable = true,
                (false, _) => return Some(state.trouble.as_ref().map_or(NOT_LISTED, |report| &report.cure).to_owned()),
            }
        }
        if readable { state.credentials.clone() } else { refused.map(|report| report.cure.clone()) }
    }

    /// What concerns a part of the work: it makes no pod unready.
    pub fn details(&self) -> Vec<String> {
        let state = self.locked();
        let watched = |namespace: &String| state.listed.iter().any(|(_, listed)| listed.as_ref() == Some(namespace));
        let of_namespaces = state.namespaces.iter().filter(|(namespace, report)| report.lasts() || !watched(namespace));
        of_namespaces.map(|(namespace, report)| format!("namespace {namespace}: {}", report.cure)).collect()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    fn lasts(&self) -> bool {
        self.at.elapsed() <= TROUBLE_LASTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(namespaces: &[Option<&str>]) -> Vec<WatchOf> {
        namespaces.iter().map(|namespace| ("rdsbackups".to_owned(), namespace.map(str::to_owned))).collect()
    }

    fn listed(readiness: &Readiness, watches: &[WatchOf]) {
        readiness.awaits(watches.iter().cloned());
        watches.iter().for_each(|watch| readiness.listed(watch));
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_ready_unless_it_could_not_take_over() {
        let readiness = Readiness::default();
        readiness.stands_by();
        assert_eq!(readiness.blocker(), None);
        readiness.troubled(None, "the lease is out of reach".to_owned());
        assert_eq!(readiness.blocker().as_deref(), Some("the lease is out of reach"));
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker(), None);
        readiness.leads();
        assert_eq!(readiness.blocker().as_deref(), Some("the lease is out of reach"), "nothing was listed yet");
    }

    #[test]
    fn a_trouble_with_the_api_server_is_reported_before_a_missing_access_key() {
        let readiness = Readiness::default();
        readiness.lacks_credentials(Some("create the Secret".to_owned()));
        assert_eq!(readiness.blocker().as_deref(), Some(NOT_LISTED));
        listed(&readiness, &watches(&[None]));
        assert_eq!(readiness.blocker().as_deref(), Some("create the Secret"));
        readiness.lacks_credentials(None);
        assert_eq!(readiness.blocker(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_when_listed_and_not_in_trouble() {
        let readiness = Readiness::default();
        assert_eq!(readiness.blocker().as_deref(), Some(NOT_LISTED));
        assert!(readiness.troubled(None, "install the CRD".to_owned()));
        assert!(!readiness.troubled(None, "install the CRD".to_owned()), "said once");
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker().as_deref(), Some("install the CRD"), "nothing was listed since");
        listed(&readiness, &watches(&[None]));
        assert_eq!(readiness.blocker(), None);
        assert!(readiness.troubled(None, "the API server is away".to_owned()));
        assert_eq!(readiness.blocker().as_deref(), Some("the API server is away"));
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_cannot_be_read_is_named_and_makes_nothing_unready_while_another_can_be() {
        let readiness = Readiness::default();
        let both = watches(&[Some("a"), Some("b")]);
        readiness.awaits(both.clone());
        readiness.troubled(Some("b"), "grant it".to_owned());
        assert_eq!(readiness.blocker().as_deref(), Some(NOT_LISTED), "a is still missing");
        readiness.listed(&both[0]);
        assert_eq!(readiness.blocker(), None);
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!((readiness.blocker(), readiness.details()), (None, vec!["namespace b: grant it".to_owned()]), "it was never listed");
        readiness.troubled(Some("a"), "grant it too".to_owned());
        assert_eq!(readiness.blocker().as_deref(), Some("grant it too"), "none can be read");
        readiness.listed(&both[1]);
        assert_eq!((readiness.blocker(), readiness.details()), (None, vec!["namespace a: grant it too".to_owned()]));
        readiness.listed(&both[0]);
        assert_eq!((readiness.blocker(), readiness.details()), (None, Vec::new()));
    }
}
