//! From the settings of an account to the source of its credentials.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{
    assume_role::{AssumedRole, RoleToAssume},
    auto::{self, Auto, InEnvironment},
    clients::{self, SourceClients},
    credentials_uri::CredentialsUri,
    error::{CredentialsError, NotGiven},
    profile::StsPlace,
    refresh::{Refresher, TemporarySource},
    rrsa::{Rrsa, TokenProof},
    source::Source,
};
use crate::{
    accounts::{account::ClientDeps, credentials_settings::CredentialsSettings, settings::AccountSettings},
    api::Reason,
};

/// What sources are made of.
pub struct Sources {
    /// Where Secrets are read; none where no cluster is at hand.
    client: Option<kube::Client>,
    namespace: String,
    clients: SourceClients,
    /// Those that are in use: 200 accounts that assume their roles with the key of one account share its keys.
    shared: Mutex<Vec<(AccountSettings, Weak<Refresher>)>>,
}

impl Sources {
    /// `namespace`: the operator's own. `variable` reads the operator's environment. Without a `client` no Secret can be read.
    pub fn new(
        client: impl Into<Option<kube::Client>>,
        namespace: &str,
        variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        deps: ClientDeps,
    ) -> Self {
        Self {
            client: client.into(),
            namespace: namespace.to_owned(),
            clients: SourceClients::new(variable, deps),
            shared: Mutex::default(),
        }
    }

    /// The source of an account, or of one namespace of it where each has its own.
    pub fn of(&self, account: &AccountSettings, tenant: Option<&str>) -> Source {
        let clients = &self.clients;
        match &account.credentials {
            CredentialsSettings::Auto {} => match auto::in_environment(clients) {
                InEnvironment::Key => Source::environment(|name| clients.variable(name)),
                InEnvironment::Token => self.refreshed(account, || self.rrsa(account, None, None, None)),
                InEnvironment::Nothing => self.refreshed(account, || Ok(Box::new(Auto::new(clients.clone(), account.clone())))),
            },
            CredentialsSettings::Secret { name } => self.secret(&self.namespace, name),
            // In the tenant's own namespace, and nowhere else.
            CredentialsSettings::TenantSecret { name } => match tenant {
                Some(namespace) => self.secret(namespace, name),
                None => {
                    let why = "TenantSecret: it is read for one namespace at a time".to_owned();
                    Source::Fixed(Err(NotGiven::new(Reason::InvalidCredentials, why).into()))
                }
            },
            CredentialsSettings::Rrsa { session_name, duration_seconds, policy } => {
                self.refreshed(account, || self.rrsa(account, session_name.as_deref(), *duration_seconds, policy.as_deref()))
            }
            CredentialsSettings::AssumeRole { role_arn, external_id, session_name, duration_seconds, policy, from } => {
                self.refreshed(account, || {
                    let sts = clients.sts(account, &StsPlace::default(), "AssumeRole")?;
                    let Some(base) = &account.base else {
                        let why = format!("AssumeRole (role {role_arn}): the configuration has no account {from}");
                        return Err(NotGiven::new(Reason::InvalidCredentials, why).into());
                    };
                    let session = clients.session(session_name.as_deref(), *duration_seconds, policy.as_deref());
                    let role = RoleToAssume { arn: role_arn.clone(), external_id: external_id.clone(), session };
                    Ok(Box::new(AssumedRole::new(role, format!("account {from}"), self.of(base, None), sts)))
                })
            }
            CredentialsSettings::EcsRamRole { role_name, allow_imds_v1 } => {
                self.refreshed(account, || Ok(Box::new(clients.node(account, role_name.clone(), *allow_imds_v1)?)))
            }
            CredentialsSettings::CredentialsUri { uri } => self.refreshed(account, || {
                let (connect, call) = (clients::CONNECT_TIMEOUT, clients::CALL_TIMEOUT);
                let http = clients.documents(account, &uri.url(), connect, call, "CredentialsURI")?;
                Ok(Box::new(CredentialsUri::new(uri, http)))
            }),
        }
    }

    fn secret(&self, namespace: &str, name: &str) -> Source {
        match &self.client {
            Some(client) => Source::secret(client.clone(), namespace, name),
            None => {
                let why = format!("Secret {name}: there is no cluster to read it from");
                Source::Fixed(Err(NotGiven::new(Reason::CredentialsNotFound, why).into()))
            }
        }
    }

    fn rrsa(
        &self,
        account: &AccountSettings,
        session_name: Option<&str>,
        duration_seconds: Option<u32>,
        policy: Option<&str>,
    ) -> Result<Box<dyn TemporarySource>, CredentialsError> {
        let sts = self.clients.sts(account, &StsPlace::default(), "RRSA")?;
        let proof = TokenProof::of_environment(|name| self.clients.variable(name))?;
        Ok(Box::new(Rrsa::new(proof, self.clients.session(session_name, duration_seconds, policy), sts)))
    }

    /// The source of another account with the same settings, if one is in use, else a new one.
    fn refreshed(&self, account: &AccountSettings, source: impl FnOnce() -> Result<Box<dyn TemporarySource>, CredentialsError>) -> Source {
        let known = |shared: &[(AccountSettings, Weak<Refresher>)]| {
            shared.iter().find(|(other, _)| other.has_the_keys_of(account)).and_then(|(_, refresher)| refresher.upgrade())
        };
        let found = known(&self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(refresher) = found {
            return Source::Refreshed(refresher);
        }
        // Not under the lock: it may need another one of the list.
        let refresher = match source() {
            Ok(source) => Arc::new(Refresher::new(source, self.clients.deps.entropy.clone())),
            Err(error) => return Source::Fixed(Err(error)),
        };
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, refresher)| refresher.strong_count() > 0);
        shared.push((account.clone(), Arc::downgrade(&refresher)));
        Source::Refreshed(refresher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, config::Config, entropy::Entropy};

    fn sources(variables: &'static [(&'static str, &'static str)]) -> Sources {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nothing is asked"))
        });
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let deps = ClientDeps { clock: Clock::system(), entropy: Entropy::new(|| 0), transport: None };
        Sources::new(kube::Client::new(service, "ops"), "ops", variable, deps)
    }

    fn account(credentials: &str) -> AccountSettings {
        let text = format!("accounts: {{ a: {{ regionId: cn-hangzhou, credentials: {{ {credentials} }}, allow: [] }} }}");
        Config::parse(&text).unwrap().accounts["a"].clone()
    }

    #[tokio::test]
    async fn rrsa_without_its_variables_says_which_is_missing() {
        for (variables, missing) in [
            (&[][..], "ALIBABA_CLOUD_ROLE_ARN"),
            (&[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r")][..], "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
            (
                &[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"), ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p")][..],
                "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
            ),
        ] {
            let error = sources(variables).of(&account("type: RRSA"), None).get().await.unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidCredentials);
            assert!(error.to_string().contains(&format!("has no {missing}. On ACK")), "{error}");
        }
    }

    #[tokio::test]
    async fn auto_takes_the_first_source_of_the_environment_and_half_a_source_fails() {
        let key = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-of-test"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-of-test")];
        let token = ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/no/token");
        let get = |variables: &[(&'static str, &'static str)]| {
            let variables: &'static [_] = variables.to_vec().leak();
            async move { sources(variables).of(&account("type: Auto"), None).get().await }
        };
        assert_eq!(get(&[key[0], key[1], token]).await.unwrap().access_key_id, "LTAI-of-test");
        for (variables, words) in [
            (&[key[0], token][..], "has no ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            (&[key[1], token][..], "has no ALIBABA_CLOUD_ACCESS_KEY_ID"),
            (&[token][..], "RRSA: the operator's environment has no ALIBABA_CLOUD_ROLE_ARN"),
            (&[("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"), ("ALIBABA_CLOUD_ACCESS_KEY_ID", "")][..], "RRSA: "),
        ] {
            let error = get(variables).await.unwrap_err();
            assert_eq!(error.reason(), Reason::InvalidCredentials, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let nothing = get(&[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r")]).await.unwrap_err();
        assert_eq!(nothing.reason(), Reason::CredentialsNotFound);
        assert!(nothing.to_string().contains("HOME is not set"), "{nothing}");
    }
}
