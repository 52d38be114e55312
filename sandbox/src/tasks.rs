//! The tasks of an endpoint or a proxy, which end with it.

use tokio::sync::watch;

/// Running tasks, and whether they are to end.
pub(crate) struct Tasks {
    closing: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { closing: watch::Sender::new(false), running: watch::Sender::new(0) }
    }
}

/// Counts a task while it lives, also when it ends by a panic.
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

impl Tasks {
    /// Runs it until it ends or its owner does.
    #[expect(clippy::disallowed_methods, reason = "the one place where tasks are started; each ends when its owner closes")]
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|running| *running += 1);
        let counted = Counted(self.running.clone());
        let mut closing = self.closing.subscribe();
        tokio::spawn(async move {
            let _counted = counted;
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => {}
                () = work => {}
            }
        });
    }

    /// Every task ends at its next wait.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until they have ended.
    pub(crate) async fn ended(&self) {
        // The sender is `self.running`: the wait cannot fail.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}
