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
/// It is ready when it leads or stands by for a replica of its own install, and its lists are complete. The trouble of one account or of
/// one namespace among several never makes a pod unready: the objects that it concerns say so, and so does `/readyz?verbose`.
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
    /// The lease was read and this replica does not lead, so it lists nothing.
    stands_by: bool,
    leads: bool,
    /// What to do about another install of the operator that holds the lease.
    other_install: Option<String>,
    /// What concerns everything: the API server, a CRD, the lease.
    trouble: Option<Report>,
    /// What concerns one namespace.
    namespaces: BTreeMap<String, Report>,
    /// For each CRD what to do about it, and whether this release cannot work with it as it is served.
    schemas: BTreeMap<String, (String, bool)>,
    /// For each account whether its access key can be used, and if not, the cure.
    accounts: BTreeMap<String, Option<String>>,
    /// Why the configuration file cannot be used, while the configuration before it stays in force.
    rejected_config: Option<String>,
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

    /// The API server answered to a request for the lease: unless this replica leads, it stands by. A standby is ready: standing by is its
    /// work. One that has not read the lease yet may be unable to take over.
    pub fn stands_by(&self) {
        let mut state = self.locked();
        state.stands_by = !state.leads;
    }

    /// What to do about another install that holds the lease; None if this install or none holds it. Until then a standby is not ready: its
    /// install does no work, and the tool that waits for the install must say so. True if this is news.
    pub fn held_by_another_install(&self, cure: Option<String>) -> bool {
        let mut state = self.locked();
        let is_news = state.other_install != cure;
        state.other_install = cure;
        is_news
    }

    /// This replica leads from now on.
    pub fn leads(&self) {
        let mut state = self.locked();
        (state.stands_by, state.leads, state.other_install) = (false, true, None);
    }

    /// Whether the access key of an account can be used, and if not, the cure. It never changes readiness: the other accounts work, and a
    /// restart would help none.
    pub fn account(&self, name: &str, cure: Option<String>) {
        self.locked().accounts.insert(name.to_owned(), cure);
    }

    /// These are the accounts: what is known of any other is forgotten.
    pub fn accounts_are(&self, names: &[String]) {
        self.locked().accounts.retain(|name, _| names.contains(name));
    }

    /// Why the configuration file cannot be used, if it cannot. It never changes readiness: the configuration before it stays in force, and
    /// a restart would end that.
    pub fn config(&self, rejected: Option<String>) {
        self.locked().rejected_config = rejected;
    }

    /// What to do about a CRD; `blocks`: this release cannot work with it as it is served. The operator goes on with what it can, but a pod
    /// of a newer release must not take an older one's place before its CRDs are applied.
    pub fn schema(&self, crd: &str, cure: Option<String>, blocks: bool) {
        let mut state = self.locked();
        match cure {
            Some(cure) => _ = state.schemas.insert(crd.to_owned(), (cure, blocks)),
            None => _ = state.schemas.remove(crd),
        }
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
            _ => {}
        }
        if let Some((cure, _)) = state.schemas.values().find(|(_, blocks)| *blocks) {
            return Some(cure.clone());
        }
        match &state.trouble {
            _ if state.stands_by => return state.other_install.clone(),
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
        if readable { None } else { refused.map(|report| report.cure.clone()) }
    }

    /// What concerns a part of the work: it makes no pod unready.
    pub fn details(&self) -> Vec<String> {
        let state = self.locked();
        let watched = |namespace: &String| state.listed.iter().any(|(_, listed)| listed.as_ref() == Some(namespace));
        let of_namespaces = state.namespaces.iter().filter(|(namespace, report)| report.lasts() || !watched(namespace));
        let of_namespaces = of_namespaces.map(|(namespace, report)| format!("namespace {namespace}: {}", report.cure));
        let of_accounts = state.accounts.iter().filter_map(|(name, cure)| Some(format!("account {name}: {}", cure.as_ref()?)));
        let of_schemas = state.schemas.values().filter(|(_, blocks)| !blocks).map(|(cure, _)| cure.clone());
        let of_config = state.rejected_config.iter().cloned();
        of_config.chain(of_namespaces).chain(of_accounts).chain(of_schemas).collect()
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
        assert_eq!(readiness.blocker().as_deref(), Some(NOT_LISTED), "it has not read the lease yet");
        readiness.stands_by();
        assert_eq!(readiness.blocker(), None);
        readiness.troubled(None, "the lease is out of reach".to_owned());
        assert_eq!(readiness.blocker().as_deref(), Some("the lease is out of reach"));
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker(), None);
        readiness.leads();
        readiness.stands_by();
        assert_eq!(readiness.blocker().as_deref(), Some("the lease is out of reach"), "nothing was listed yet");
    }

    #[test]
    fn a_standby_is_not_ready_while_another_install_leads_and_that_is_news_once() {
        let readiness = Readiness::default();
        let uninstall = || Some("uninstall one".to_owned());
        assert!(readiness.held_by_another_install(uninstall()) && !readiness.held_by_another_install(uninstall()));
        readiness.stands_by();
        assert_eq!(readiness.blocker(), uninstall());
        assert!(readiness.held_by_another_install(None));
        assert_eq!(readiness.blocker(), None);
        readiness.held_by_another_install(uninstall());
        readiness.leads();
        listed(&readiness, &watches(&[None]));
        assert_eq!(readiness.blocker(), None);
    }

    #[test]
    fn an_account_without_its_access_key_is_a_detail_and_no_pod_is_unready_for_it() {
        let readiness = Readiness::default();
        listed(&readiness, &watches(&[None]));
        readiness.account("a", Some("create the Secret".to_owned()));
        readiness.account("b", None);
        assert_eq!((readiness.blocker(), readiness.details()), (None, vec!["account a: create the Secret".to_owned()]));
        readiness.account("a", None);
        assert_eq!(readiness.details(), Vec::<String>::new());
    }

    #[test]
    fn a_rejected_configuration_is_a_detail_and_so_is_no_account_that_is_gone() {
        let readiness = Readiness::default();
        listed(&readiness, &watches(&[None]));
        readiness.account("a", Some("create the Secret".to_owned()));
        readiness.config(Some("line 3".to_owned()));
        assert_eq!(
            (readiness.blocker(), readiness.details()),
            (None, vec!["line 3".to_owned(), "account a: create the Secret".to_owned()])
        );
        readiness.config(None);
        readiness.accounts_are(&["b".to_owned()]);
        assert_eq!(readiness.details(), Vec::<String>::new());
    }

    #[test]
    fn a_crd_that_is_too_old_makes_a_standby_unready_too_and_one_that_cannot_be_read_is_a_detail() {
        let readiness = Readiness::default();
        readiness.stands_by();
        readiness.schema("rdsbackups", Some("it may not be read".to_owned()), false);
        assert_eq!((readiness.blocker(), readiness.details()), (None, vec!["it may not be read".to_owned()]));
        readiness.schema("rdsbackups", Some("apply crds/".to_owned()), true);
        assert_eq!(readiness.blocker().as_deref(), Some("apply crds/"));
        readiness.schema("rdsbackups", None, false);
        assert_eq!((readiness.blocker(), readiness.details()), (None, Vec::new()));
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
