//! Accounts whose credentials come from another account's: the other one's settings are put into theirs, so that each says by itself where
//! its keys come from.

use std::collections::BTreeMap;

use super::{credentials_settings::CredentialsSettings, settings::AccountSettings};

/// How many roles may be assumed one after the other. Each is an exchange that must succeed before the next.
const DEEPEST: usize = 3;

/// Fills in [`AccountSettings::base`] of each account that needs one.
///
/// # Errors
/// A name in `from` that is no account's, a circle, or too long a chain.
pub fn resolve_bases(accounts: &mut BTreeMap<String, AccountSettings>) -> Result<(), String> {
    let written = accounts.clone();
    for (name, settings) in accounts {
        settings.base = base(&written, name, &mut vec![name])?;
    }
    Ok(())
}

/// The settings of the account that `name` names in `from`, if it does, with their own base in them. `chain`: the names so far.
fn base<'a>(
    accounts: &'a BTreeMap<String, AccountSettings>,
    name: &str,
    chain: &mut Vec<&'a str>,
) -> Result<Option<Box<AccountSettings>>, String> {
    let Some(CredentialsSettings::AssumeRole { from, .. }) = accounts.get(name).map(|settings| &settings.credentials) else {
        return Ok(None);
    };
    let at = format!("accounts.{}.credentials.from", chain.first().copied().unwrap_or(name));
    let Some((from, found)) = accounts.get_key_value(from) else {
        return Err(format!("{at}: {from:?} is not an account of this configuration"));
    };
    if found.credentials.is_of_tenants() {
        return Err(format!("{at}: account {from:?} has no key of its own: its credentials are of type TenantSecret"));
    }
    let is_circle = chain.contains(&from.as_str());
    chain.push(from);
    if is_circle {
        return Err(format!("{at}: a circle, {}. The first account of a chain needs credentials of another type", chain.join(" -> ")));
    }
    if chain.len() > DEEPEST + 1 {
        return Err(format!("{at}: more than {DEEPEST} roles one after the other, {}", chain.join(" -> ")));
    }
    let mut found = found.clone();
    found.base = base(accounts, from, chain)?;
    Ok(Some(Box::new(found)))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn bases(accounts: &[(&str, Option<&str>)]) -> Result<Vec<usize>, String> {
        let accounts: String = accounts
            .iter()
            .map(|(name, from)| {
                let credentials = match from {
                    Some(from) => format!("{{ type: AssumeRole, roleArn: 'acs:ram::1:role/{name}', from: {from} }}"),
                    None => "{ type: Secret, name: key }".to_owned(),
                };
                format!("  {name}: {{ regionId: cn-hangzhou, credentials: {credentials}, allow: [] }}\n")
            })
            .collect();
        let config = Config::parse(&format!("accounts:\n{accounts}"))?;
        let depth = |mut settings: &super::AccountSettings| {
            let mut depth = 0;
            while let Some(base) = &settings.base {
                (settings, depth) = (base, depth + 1);
            }
            depth
        };
        Ok(config.accounts.values().map(depth).collect())
    }

    #[test]
    fn a_role_is_not_assumed_with_the_key_of_whatever_namespace() {
        let text = "accounts:\n  a: { regionId: cn-hangzhou, credentials: { type: TenantSecret, name: key }, allow: [] }\n  b: { regionId: \
                    cn-hangzhou, credentials: { type: AssumeRole, roleArn: 'acs:ram::1:role/r', from: a }, allow: [] }\n";
        let error = Config::parse(text).unwrap_err();
        assert!(error.contains("accounts.b.credentials.from: account \"a\" has no key of its own"), "{error}");
    }

    #[test]
    fn a_chain_ends_at_a_key_of_its_own_and_circles_and_long_chains_are_refused() {
        assert_eq!(bases(&[("a", Some("c")), ("b", Some("a")), ("c", None)]), Ok(vec![1, 2, 0]));
        assert_eq!(bases(&[("a", Some("b")), ("b", Some("c")), ("c", Some("d")), ("d", None)]), Ok(vec![3, 2, 1, 0]));
        for (accounts, words) in [
            (&[("a", Some("a"))][..], "accounts.a.credentials.from: a circle, a -> a."),
            (&[("a", Some("b")), ("b", Some("c")), ("c", Some("b"))][..], "a circle, a -> b -> c -> b."),
            (&[("a", Some("x"))][..], "\"x\" is not an account"),
            (
                &[("a", Some("b")), ("b", Some("c")), ("c", Some("d")), ("d", Some("e")), ("e", None)][..],
                "more than 3 roles one after the other, a -> b -> c -> d -> e",
            ),
        ] {
            let error = bases(accounts).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
