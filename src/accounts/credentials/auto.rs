//! Auto: the sources that the official clients look for, in their order, up to the profile file. It ends before the metadata service of the
//! node: a pod would have a role that nobody gave it. A source that is there and fails is never replaced by the next one.

use std::{
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    assume_role::{AssumedRole, RoleToAssume},
    cli_profile,
    clients::SourceClients,
    environment,
    error::{CredentialsError, NotGiven},
    profile::{Exchanged, Profile, ProfileError, ProfileSession},
    profile_file,
    refresh::{Refresher, TemporarySource},
    rrsa::{PROVIDER_ARN, Rrsa, TOKEN_FILE},
    source::Source,
};
use crate::{accounts::settings::AccountSettings, api::Reason, rpc::Credentials};

/// The longest file that is read, bytes.
const LONGEST_FILE: u64 = 1024 * 1024;

/// The first source of the operator's environment.
pub(super) enum InEnvironment {
    /// A key.
    Key,
    /// The variables of RRSA.
    Token,
    /// None of them: the files are looked for.
    Nothing,
}

/// What the environment has. One that lacks a part is there all the same, and fails: half a key must not become another identity.
pub(super) fn in_environment(clients: &SourceClients) -> InEnvironment {
    let has = |name: &&str| clients.variable(name).is_some();
    // The role's ARN alone is also set for other purposes.
    match (environment::KEY_NAMES.iter().any(has), [PROVIDER_ARN, TOKEN_FILE].iter().any(has)) {
        (true, _) => InEnvironment::Key,
        (false, true) => InEnvironment::Token,
        (false, false) => InEnvironment::Nothing,
    }
}

/// The profile of a file, found anew at each exchange: the file may be a Secret that is mounted, and changes with it.
pub(super) struct Auto {
    files: Files,
    clients: SourceClients,
    account: AccountSettings,
    /// The source that the newest profile says. It knows the clock of its service.
    built: Mutex<Option<(Exchanged, Arc<dyn TemporarySource>)>>,
}

/// Where profiles are looked for.
#[derive(Clone, Debug)]
struct Files {
    /// The wanted profile.
    profile: Option<String>,
    /// The CLI's file; none if it is switched off, or if there is no home directory.
    cli: Option<PathBuf>,
    /// Profile files: the first that is there counts.
    profile_files: Vec<PathBuf>,
    /// Files that the environment names: they must be there.
    named: Vec<PathBuf>,
}

/// A profile, and where it stands, for messages.
#[derive(Debug)]
struct Found {
    place: String,
    profile: Profile,
}

impl Auto {
    pub fn new(clients: SourceClients, account: AccountSettings) -> Self {
        let files = Files::new(|name| clients.variable(name), clients.is_set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED"));
        Self { files, clients, account, built: Mutex::default() }
    }

    async fn exchange(&self) -> Result<Credentials, CredentialsError> {
        let files = self.files.clone();
        let found = tokio::task::spawn_blocking(move || files.find()).await;
        let gone = |_| NotGiven::passing(Reason::ServiceUnavailable, "Auto: the read was given up. It is read again".to_owned());
        let Found { place, profile } = found.map_err(gone)??;
        let told = |error: CredentialsError| NotGiven::because_of(&error, format!("Auto ({place}): {error}"));
        let source = match profile {
            Profile::Key(key) => return Ok(key.0),
            Profile::Exchanged(exchanged) => self.source(&exchanged).map_err(&told)?,
        };
        source.fetch().await.map_err(|error| told(error).into())
    }

    /// The source that the profile says: the same one for as long as the profile is.
    fn source(&self, profile: &Exchanged) -> Result<Arc<dyn TemporarySource>, CredentialsError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, source)) = built.as_ref().filter(|(known, _)| known == profile) {
            return Ok(source.clone());
        }
        let source: Arc<dyn TemporarySource> = Arc::from(self.build(profile)?);
        *built = Some((profile.clone(), source.clone()));
        Ok(source)
    }

    fn build(&self, profile: &Exchanged) -> Result<Box<dyn TemporarySource>, CredentialsError> {
        let Self { clients, account, .. } = self;
        let session = |session: &ProfileSession| {
            let ProfileSession { name, duration_seconds, policy, sts: _ } = session;
            clients.session(name.as_deref(), *duration_seconds, policy.as_deref())
        };
        Ok(match profile {
            Exchanged::Node { role } => Box::new(clients.node(account, role.clone(), false)?),
            Exchanged::Token { proof, session: asked } => {
                let sts = clients.sts(account, &asked.sts, "RRSA")?;
                Box::new(Rrsa::new(proof.clone(), session(asked), sts))
            }
            Exchanged::Role { arn, external_id, session: asked, base } => {
                let sts = clients.sts(account, &asked.sts, "AssumeRole")?;
                let base = match base.as_ref() {
                    Profile::Key(key) => Source::Fixed(Ok(key.0.clone())),
                    Profile::Exchanged(below) => {
                        Source::Refreshed(Arc::new(Refresher::new(self.build(below)?, clients.deps.entropy.clone())))
                    }
                };
                let role = RoleToAssume { arn: arn.clone(), external_id: external_id.clone(), session: session(asked) };
                Box::new(AssumedRole::new(role, "the profile".to_owned(), base, sts))
            }
        })
    }
}

impl TemporarySource for Auto {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(self.exchange())
    }

    fn now(&self) -> Timestamp {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.as_ref().map_or_else(|| self.clients.deps.clock.now(), |(_, source)| source.now())
    }

    fn name(&self) -> &str {
        "Auto"
    }

    fn kind(&self) -> &'static str {
        "Auto"
    }
}

impl Files {
    fn new(variable: impl Fn(&str) -> Option<String>, cli_is_off: bool) -> Self {
        let at_home = |path: &str| variable("HOME").map(|home| Path::new(&home).join(path));
        let of_variable = |name: &str| variable(name).map(PathBuf::from);
        let cli = of_variable("ALIBABA_CLOUD_CONFIG_FILE").filter(|_| !cli_is_off);
        let file = of_variable("ALIBABA_CLOUD_CREDENTIALS_FILE");
        let named = cli.iter().chain(&file).cloned().collect();
        let profile_files = match file {
            Some(file) => vec![file],
            None => [".alibabacloud/credentials", ".alibabacloud/credentials.ini"].into_iter().filter_map(at_home).collect(),
        };
        let cli = cli.or_else(|| at_home(".aliyun/config.json").filter(|_| !cli_is_off));
        Self { profile: variable("ALIBABA_CLOUD_PROFILE"), cli, profile_files, named }
    }

    /// The first profile that is there.
    fn find(&self) -> Result<Found, CredentialsError> {
        if let Some(path) = &self.cli
            && let Some(text) = self.read(path)?
        {
            let read = cli_profile::read(&text, self.profile.as_deref());
            if let Some((name, profile)) = read.map_err(|error| told(path, &error))? {
                return Ok(Found { place: place(&name, path), profile });
            }
        }
        let name = self.profile.as_deref().unwrap_or(profile_file::DEFAULT);
        for path in &self.profile_files {
            let Some(text) = self.read(path)? else { continue };
            return match profile_file::read(&text, name).map_err(|error| told(path, &error))? {
                Some(profile) => Ok(Found { place: place(name, path), profile }),
                None => Err(self.nothing(Some(path.as_path()))),
            };
        }
        Err(self.nothing(None))
    }

    /// None: the file is not there, and need not be.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, CredentialsError> {
        let mut text = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_end(&mut text));
        match read {
            Ok(_) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound && !self.named.iter().any(|named| named == path) => Ok(None),
            Err(error) => {
                let why = format!(
                    "Auto: the file {} cannot be read: {}. Check what is mounted, and ALIBABA_CLOUD_CONFIG_FILE and \
                     ALIBABA_CLOUD_CREDENTIALS_FILE; it is read again",
                    path.display(),
                    error.kind()
                );
                Err(NotGiven::new(Reason::CredentialsNotFound, why).into())
            }
        }
    }

    /// `has_not`: the profile file that lacks the profile.
    fn nothing(&self, has_not: Option<&Path>) -> CredentialsError {
        let wanted = match &self.profile {
            Some(name) => format!("a profile {name}"),
            None => "a profile".to_owned(),
        };
        let files: Vec<String> = self.cli.iter().chain(&self.profile_files).map(|path| path.display().to_string()).collect();
        let files = match (has_not, files.is_empty()) {
            (Some(path), _) => format!("{} lacks it", path.display()),
            (None, true) => "HOME is not set, so no file was looked for".to_owned(),
            (None, false) => format!("none of these files has one: {}", files.join(", ")),
        };
        let why = format!(
            "Auto: there is no key. The operator's environment has no {}, and no {TOKEN_FILE}. Of the files, {wanted} is wanted, and {files}. \
             Set one of them, or give the account credentials of another type",
            environment::KEY_NAMES[0]
        );
        NotGiven::new(Reason::CredentialsNotFound, why).into()
    }
}

fn place(profile: &str, path: &Path) -> String {
    format!("profile {profile} of {}", path.display())
}

fn told(path: &Path, error: &ProfileError) -> CredentialsError {
    NotGiven::new(Reason::InvalidCredentials, format!("Auto: the file {}: {}", path.display(), error.0)).into()
}

#[cfg(test)]
mod tests;
