//! The operator's configuration file, made from the settings of the endpoint.

use std::time::Duration;

use crate::rds::Settings;

use super::installed::SECRET;

/// How the operator signs its requests, as the configuration spells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Signature {
    /// RPC, HMAC-SHA1.
    V1,
    /// ACS3-HMAC-SHA256.
    #[default]
    V3,
}

/// The text of a configuration whose account `default` is the endpoint at `url`, with `extra` appended as it is: keys of the top level or,
/// indented by two, more accounts.
pub fn operator_config(url: &str, signature: Signature, settings: &Settings, extra: &str) -> String {
    let expiry = whole_seconds(settings.expiry);
    // The operator judges elapsed time by the service's `Date` header, which has whole seconds: two polls that are one lag apart by it may
    // really be up to a second closer, and a set that is not listed yet would count as one that does not exist.
    let lag = whole_seconds(settings.lag) + 1;
    format!(
        "\
submissions: Enabled
accounts:
  default:
    regionId: cn-hangzhou
    endpoint: {url}
    credentials: {{ type: Secret, name: {SECRET} }}
    # What the endpoint does: it refuses older requests, its clock has whole seconds, and it lists a set so long after its job's end.
    protocol: {{ requestExpiry: {expiry}s, clockSkew: {SKEW}s, listingLag: {lag}s }}
    poll: {{ first: 1s, min: 1s, max: 2s }}
    signature: {signature:?}
    allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]
{extra}"
    )
}

/// Signed times are cut to whole seconds, and so is the `Date` header that they are taken from: together they may be 2 s off.
const SKEW: u64 = 2;

/// Rounded up, since a shorter wait proves nothing, and never zero, which the configuration does not take.
fn whole_seconds(span: Duration) -> u64 {
    (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_and_never_zero() {
        let seconds = [0, 1, 999, 1000, 1001, 60_000].map(|millis| whole_seconds(Duration::from_millis(millis)));
        assert_eq!(seconds, [1, 1, 1, 1, 2, 60]);
    }
}
