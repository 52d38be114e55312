//! `sandbox sts`: the services that give out temporary keys, on the command line.

use std::io;
use std::path::PathBuf;

use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

use super::{Issuer, Options, Provider, Role, Settings, Sts, Trust};
use crate::metadata::{self, Metadata};
use crate::rds::Key;

const ROLE: &str = "acs:ram::1234567890123456:role/sandbox";
const SPOKE: &str = "acs:ram::6543210987654321:role/sandbox-spoke";
const PROVIDER: &str = "acs:ram::1234567890123456:oidc-provider/sandbox";
const EXTERNAL_ID: &str = "sandbox-external-id";
const SUBJECT: &str = "system:serviceaccount:rds-backup-system:rds-backup-operator";
const AUDIENCE: &str = "sts.aliyuncs.com";

/// Run a simulated Security Token Service and metadata service until Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub struct StsArgs {
    /// Where tokens of a ServiceAccount are written: `token`, and `expired` and `other-audience`, which are no proof
    #[arg(long, value_name = "DIR")]
    pub tokens: PathBuf,
    /// Take GET and tokens in the query, as the real service does and as the official Python clients send them
    #[arg(long)]
    pub takes_queries: bool,
}

/// Why the services do not run.
#[derive(Debug, thiserror::Error)]
pub enum StsCliError {
    /// One cannot start.
    #[error("the service cannot start: {0}")]
    Start(io::Error),
    /// A token cannot be written.
    #[error("{}: {source}", path.display())]
    Token {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A signal handler could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

/// Runs both until Ctrl-C or SIGTERM.
pub async fn run(args: StsArgs) -> Result<(), StsCliError> {
    // First, so that a signal that comes during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(StsCliError::Signals)?;
    let issuer = Issuer::new("https://oidc.sandbox.example", "secret-of-the-issuer");
    let by_token = Trust::ServiceAccount { provider: PROVIDER.into(), subject: SUBJECT.into() };
    let by_key = Trust::Principal { principal: "sandbox-key".into(), external_id: None };
    let by_role = Trust::Principal { principal: ROLE.into(), external_id: Some(EXTERNAL_ID.into()) };
    let options = Options {
        providers: vec![Provider { arn: PROVIDER.into(), issuer: issuer.clone(), audiences: vec![AUDIENCE.into()] }],
        roles: vec![Role::new(ROLE, vec![by_token, by_key]), Role::new(SPOKE, vec![by_role])],
        keys: vec![Key::new("sandbox-key", "sandbox-secret")],
        settings: Settings { takes_queries: args.takes_queries, ..Settings::default() },
        ..Options::default()
    };
    let sts = Sts::start(options).await.map_err(StsCliError::Start)?;
    let node = Metadata::start(metadata::Settings::default(), |_| {}).await.map_err(StsCliError::Start)?;
    let later = |seconds| sts.now() + SignedDuration::from_secs(seconds);
    for (name, audience, end) in
        [("token", AUDIENCE, later(3600)), ("expired", AUDIENCE, later(-60)), ("other-audience", "kubernetes", later(3600))]
    {
        let path = args.tokens.join(name);
        std::fs::write(&path, issuer.token(SUBJECT, audience, end)).map_err(|source| StsCliError::Token { path, source })?;
    }
    println!("{}", greeting(&sts.url(), &node.url()));
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(StsCliError::Signals)?,
        _ = terminate.recv() => {}
    }
    println!("stopped after {} exchanges, {} requests of the metadata service", sts.exchanges(), node.requests().len());
    Ok(())
}

fn greeting(sts: &str, node: &str) -> String {
    format!(
        "simulated metadata service at {node}\n\
         simulated STS at {sts}\n\
         access key id: sandbox-key\n\
         provider: {PROVIDER}\n\
         role: {ROLE}\n\
         a role that the first one may assume with the external id {EXTERNAL_ID}: {SPOKE}\n\
         stop with Ctrl-C"
    )
}
