//! Reads the configuration file anew when it changes.
//!
//! The file is read once a second and its text compared. A kubelet updates a mounted ConfigMap by swapping a symlink above the file, so what
//! has to be watched is not the file but its directory; and on some file systems nothing can be watched. Reading a few kilobytes works on all
//! of them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tracing::{error, info};

use super::{live::Live, readiness::Readiness};
use crate::config::{Config, ConfigText};

/// The time between two reads.
const PAUSE: Duration = Duration::from_secs(1);

/// The configuration file, and its text when it was read last.
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub text: ConfigText,
}

/// What a read of the file found: its text, or why it cannot be read.
type Found = Result<ConfigText, String>;

/// What to do about a text that is new.
enum Verdict {
    /// It is valid.
    Take(Box<Config>),
    /// It is the one that is in force, after one that was not valid.
    InForceAgain,
    /// It is not valid.
    Reject(String),
}

/// The file as this process knows it.
struct Reader {
    path: PathBuf,
    in_force: ConfigText,
    /// What the last read found.
    seen: Found,
    /// What was judged last.
    judged: Found,
}

/// Never ends.
pub(super) async fn run(file: ConfigFile, live: Live, readiness: Arc<Readiness>) {
    let mut reader = Reader::new(file);
    loop {
        tokio::time::sleep(PAUSE).await;
        let path = reader.path.clone();
        // A file system that hangs must not hang the operator.
        let read = tokio::task::spawn_blocking(move || ConfigText::read(&path).map_err(|error| error.to_string()));
        // Only the end of the process ends such a task without a result.
        let Ok(found) = read.await else { return };
        match reader.look(found) {
            None => {}
            Some(Verdict::Take(config)) => {
                let taken = live.take(*config);
                readiness.config(None);
                info!(
                    added = taken.accounts.added.join(","),
                    changed = taken.accounts.changed.join(","),
                    removed = taken.accounts.removed.join(","),
                    woken = taken.woken,
                    "the configuration was read anew and is in force: accounts by what changed, and how many unfinished RdsBackups name them"
                );
            }
            Some(Verdict::InForceAgain) => {
                live.restore();
                readiness.config(None);
                info!("the configuration file has the configuration again that is in force");
            }
            Some(Verdict::Reject(why)) => {
                live.reject();
                let said =
                    format!("the configuration file was changed and cannot be used, so the configuration before it stays in force: {why}");
                error!("{said}");
                readiness.config(Some(said));
            }
        }
    }
}

impl Reader {
    fn new(ConfigFile { path, text }: ConfigFile) -> Self {
        Self { path, in_force: text.clone(), seen: Ok(text.clone()), judged: Ok(text) }
    }

    /// Takes in what a read found. A text is judged when two reads have found it, once: whoever writes the file in place may be half-way, and
    /// half an allow-list can be a valid one.
    fn look(&mut self, found: Found) -> Option<Verdict> {
        let is_settled = found == self.seen;
        self.seen = found;
        if !is_settled || self.seen == self.judged {
            return None;
        }
        self.judged = self.seen.clone();
        let text = match &self.seen {
            Ok(text) if *text == self.in_force => return Some(Verdict::InForceAgain),
            Ok(text) => text,
            Err(why) => return Some(Verdict::Reject(why.clone())),
        };
        match text.parse(&self.path) {
            Ok(config) => {
                self.in_force = text.clone();
                Some(Verdict::Take(Box::new(config)))
            }
            Err(wrong) => Some(Verdict::Reject(wrong.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FIRST: &str = "accounts: { a: { regionId: cn-hangzhou, credentials: { type: Auto }, allow: [] } }\n";
    const SECOND: &str = "accounts:\n  b: { regionId: cn-hangzhou, credentials: { type: Auto }, allow: [] }\n";

    /// What each look at the file says, with what stands in it before the look.
    fn looks(dir: &Path, texts: &[Option<&str>]) -> Vec<Option<String>> {
        let path = dir.join("config.yaml");
        std::fs::write(&path, FIRST).unwrap();
        let mut reader = Reader::new(ConfigFile { path: path.clone(), text: ConfigText::read(&path).unwrap() });
        let mut said = Vec::new();
        for text in texts {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap_or_default(),
            }
            let verdict = reader.look(ConfigText::read(&path).map_err(|error| error.to_string()));
            said.push(verdict.map(|verdict| match verdict {
                Verdict::Take(config) => format!("take {}", config.accounts.keys().cloned().collect::<String>()),
                Verdict::InForceAgain => "in force again".to_owned(),
                Verdict::Reject(why) => format!("reject {why}"),
            }));
        }
        said
    }

    #[test]
    fn a_text_is_judged_once_when_it_was_found_twice() {
        let dir = tempfile::tempdir().unwrap();
        let take = |name: &str| Some(format!("take {name}"));
        let half = &SECOND[..SECOND.len() / 2];
        let first = Some(FIRST);
        let second = Some(SECOND);
        assert_eq!(looks(dir.path(), &[first, first]), [None, None], "it is in force already");
        assert_eq!(looks(dir.path(), &[second, second, second]), [None, take("b"), None]);
        assert_eq!(looks(dir.path(), &[Some(half), second, second]), [None, None, take("b")], "somebody writes it in place");
        assert_eq!(looks(dir.path(), &[second, first, first]), [None, None, None], "it was never settled");
        assert_eq!(looks(dir.path(), &[second, second, first, first]), [None, take("b"), None, take("a")]);
    }

    #[test]
    fn a_wrong_text_is_rejected_once_with_its_line_and_the_one_in_force_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = SECOND.replace("allow: []", "allow: [], alow: []");
        let wrong = Some(wrong.as_str());
        let said = looks(dir.path(), &[wrong, wrong, wrong, Some(FIRST), Some(FIRST), None, None, Some(FIRST), Some(FIRST), wrong, wrong]);
        let rejected =
            |said: &Option<String>, word: &str| said.as_ref().is_some_and(|said| said.starts_with("reject ") && said.contains(word));
        assert!(rejected(&said[1], "line 2") && rejected(&said[1], "alow") && rejected(&said[1], "config.yaml"), "{said:?}");
        assert!(said[2].is_none() && rejected(&said[6], "cannot be read") && rejected(&said[10], "line 2"), "{said:?}");
        assert_eq!((said[4].as_deref(), said[8].as_deref()), (Some("in force again"), Some("in force again")));
    }

    /// As a kubelet does it: the file is a symlink into a directory that is a symlink itself, and that one is replaced.
    #[test]
    fn a_symlink_that_is_swapped_above_the_file_is_a_change() {
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        let version = |name: &str, text: &str| {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("config.yaml"), text).unwrap();
        };
        version("..1", FIRST);
        version("..2", SECOND);
        symlink("..1", dir.path().join("..data")).unwrap();
        let path = dir.path().join("config.yaml");
        symlink("..data/config.yaml", &path).unwrap();
        let mut reader = Reader::new(ConfigFile { path: path.clone(), text: ConfigText::read(&path).unwrap() });
        let mut look = || reader.look(ConfigText::read(&path).map_err(|error| error.to_string()));
        assert!(look().is_none());
        symlink("..2", dir.path().join("..data_tmp")).unwrap();
        std::fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        assert!(look().is_none());
        assert!(matches!(look(), Some(Verdict::Take(config)) if config.accounts.contains_key("b")));
    }
}
