//! The log: its format, and what may be in it whatever `RUST_LOG` asks for.
//!
//! Libraries do not know which of the texts they pass on are secrets. At `debug` and `trace` they print addresses, headers and bodies: kube
//! prints an answer of the API server that is no object, and such an answer may be a part of a Secret. So their lines are capped here, and
//! a filter that a person writes in a hurry cannot lift the cap.

use tracing::{Dispatch, Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// What is logged if `RUST_LOG` is not set: the operator's lines from `info` on and those of libraries from `warn` on.
pub const DEFAULT_FILTER: &str = "warn,rds_backup_operator=info";

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Text without colours.
    Text,
}

/// The module of kube that prints whole answers of the API server, as warnings too.
const PRINTS_ANSWERS: &str = "kube_client::client";

/// Whether a line of this origin and level may be written at all. The operator's own lines may; those of libraries from `info` on.
fn may_be_written(metadata: &Metadata<'_>) -> bool {
    let is_within = |module: &str| {
        let rest = metadata.target().strip_prefix(module);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let most = match () {
        () if is_within(env!("CARGO_CRATE_NAME")) => Level::TRACE,
        () if is_within(PRINTS_ANSWERS) => Level::ERROR,
        () => Level::INFO,
    };
    *metadata.level() <= most
}

/// What takes the lines: those that `filter` asks for and that may be written go to `writer`.
pub fn subscriber<W>(filter: EnvFilter, format: Format, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        Format::Text => lines.with_ansi(false).boxed(),
    };
    let lines = Registry::default().with(lines);
    Dispatch::new(capped(lines.with(filter)))
}

fn capped<S>(lines: S) -> impl Subscriber + Send + Sync
where
    S: Subscriber + Send + Sync,
{
    lines.with(filter_fn(may_be_written))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::{debug, error, info, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written under this filter, and which call sites were reached: the second proves that a line was left out, not forgotten.
    fn written(filter: &str, format: Format) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(EnvFilter::new(filter), format, move || writer.clone());
        tracing::dispatcher::with_default(&subscriber, || {
            trace!("ours-trace");
            debug!(target: "rds_backup_operator::rpc::client", "ours-debug");
            debug!(target: "rds_backup_operator_of_another", "foreign-debug-1");
            trace!(target: "hyper::proto::h1", "foreign-trace");
            debug!(target: "log", "foreign-debug-2");
            info!(target: "rustls::client", "foreign-info");
            warn!(target: "kube_runtime::watcher", "foreign-warn");
            warn!(target: "kube_client::client", "an answer: {{\"accessKeySecret\": \"x\"}}");
            error!(target: "kube_client::client::builder", "foreign-error");
            let span = tracing::debug_span!(target: "kube_client::client::builder", "HTTP", url = "the-url");
            span.in_scope(|| error!("within"));
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_filter_opens_the_operators_lines_and_never_those_of_libraries_below_info() {
        for filter in [
            "trace",
            "hyper=trace,kube_client=trace,rds_backup_operator=trace,log=trace,rds_backup_operator_of_another=trace,rustls=info,kube_runtime=warn",
        ] {
            for format in [Format::Json, Format::Text] {
                let text = written(filter, format);
                for shown in ["ours-trace", "ours-debug", "foreign-info", "foreign-warn", "foreign-error", "within"] {
                    assert!(text.contains(shown), "{shown} under {filter}: {text}");
                }
                for hidden in ["foreign-debug", "foreign-trace", "accessKeySecret", "the-url"] {
                    assert!(!text.contains(hidden), "{hidden} under {filter}: {text}");
                }
            }
        }
    }

    #[test]
    fn without_a_filter_libraries_warn_and_the_operator_informs() {
        let text = written(DEFAULT_FILTER, Format::Text);
        assert!(text.contains("foreign-warn") && !text.contains("foreign-info") && !text.contains("ours"), "{text}");
        assert!(!text.contains("accessKeySecret"), "{text}");
    }
}
