//! The log of the operator as it ships, with `RUST_LOG=trace`: each thread records its own worlds.

use std::{cell::RefCell, io, sync::Once};

use rds_backup_operator::logging::{self, Format};
use tracing_subscriber::EnvFilter;

thread_local! {
    /// The lines of this thread; none if nothing is recorded.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// The subscriber of all threads: one of a single thread misses lines whose call site another thread reached first.
static INSTALLED: Once = Once::new();

/// While it lives, what this thread logs is kept.
pub struct Recording;

impl Recording {
    pub fn begin() -> Self {
        INSTALLED.call_once(|| {
            let subscriber = logging::subscriber(EnvFilter::new("trace"), Format::Text, || Lines);
            tracing::dispatcher::set_global_default(subscriber).expect("the only one");
        });
        LINES.set(Some(Vec::new()));
        Self
    }

    /// What was logged.
    pub fn end(self) -> Vec<u8> {
        LINES.take().unwrap_or_default()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        LINES.take();
    }
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.as_mut().map(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
