use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A failed watch is tried again within 10 s, so a trouble that was not reported for this long is over.
const TROUBLE_LASTS: Duration = Duration::from_secs(25);

/// Whether the operator can do its work, and if not, the reason.
#[derive(Default)]
pub(super) struct Readiness(Mutex<State>);

#[derive(Default)]
struct State {
    listed: bool,
    /// Another replica leads; this one lists nothing.
    stands_by: bool,
    trouble: Option<(Instant, String)>,
    /// The cure for an account whose access key has been missing since the start.
    credentials: Option<String>,
}

impl Readiness {
    /// Every watch has listed its objects once.
    pub fn listed(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.listed = true;
        state.trouble = None;
    }

    /// Another replica leads. A standby is ready: standing by is its work.
    pub fn stands_by(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stands_by = true;
    }

    /// This replica leads from now on.
    pub fn leads(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stands_by = false;
    }

    /// The cure for a missing access key, or none once each account's key has been read. A key that disappears later does not change
    /// readiness: the status of the objects reports it, and the other accounts still work.
    pub fn lacks_credentials(&self, cure: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).credentials = cure;
    }

    /// A watch failed, or the lease cannot be reached. True if this trouble was not reported within the last 25 s, so that it is logged
    /// once.
    pub fn troubled(&self, cure: String) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = state.trouble.as_ref().is_none_or(|(at, known)| *known != cure || at.elapsed() > TROUBLE_LASTS);
        state.trouble = Some((Instant::now(), cure));
        news
    }

    /// None if the operator is ready, else the reason why it is not.
    pub fn blocker(&self) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.trouble {
            Some((at, cure)) if at.elapsed() <= TROUBLE_LASTS => Some(cure.clone()),
            _ if state.listed || state.stands_by => state.credentials.clone(),
            Some((_, cure)) => Some(cure.clone()),
            None => Some("the RdsBackups have not been listed yet".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_ready_unless_it_could_not_take_over() {
        let readiness = Readiness::default();
        readiness.stands_by();
        assert_eq!(readiness.blocker(), None);
        readiness.troubled("the lease is out of reach".to_owned());
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
        assert_eq!(readiness.blocker().as_deref(), Some("the RdsBackups have not been listed yet"));
        readiness.listed();
        assert_eq!(readiness.blocker().as_deref(), Some("create the Secret"));
        readiness.lacks_credentials(None);
        assert_eq!(readiness.blocker(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_ready_when_listed_and_not_in_trouble() {
        let readiness = Readiness::default();
        assert_eq!(readiness.blocker().as_deref(), Some("the RdsBackups have not been listed yet"));
        assert!(readiness.troubled("install the CRD".to_owned()));
        assert!(!readiness.troubled("install the CRD".to_owned()), "said once");
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker().as_deref(), Some("install the CRD"), "nothing was listed since");
        readiness.listed();
        assert_eq!(readiness.blocker(), None);
        assert!(readiness.troubled("the API server is away".to_owned()));
        assert_eq!(readiness.blocker().as_deref(), Some("the API server is away"));
        tokio::time::advance(TROUBLE_LASTS * 2).await;
        assert_eq!(readiness.blocker(), None);
    }
}
